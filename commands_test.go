package curfew_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func mustRead(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeHasTwoCommandsAndTheTestCommandIsWhatCIRuns(t *testing.T) {
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(mustRead(t, "README.md"), -1) {
		commands = append(commands, strings.TrimSpace(block[1]))
	}
	if want := []string{"make demo", "make test"}; !slices.Equal(commands, want) {
		t.Errorf("README has %q, want %q", commands, want)
	}
	run := strings.Split(strings.TrimSpace(mustRead(t, ".ci/run")), "\n")
	if last := run[len(run)-1]; last != "make test" {
		t.Errorf(".ci/run runs %q, README says make test", last)
	}
	for _, target := range []string{"build", "demo", "dev", "test", "check", "bench", "conformance", "screenshots", "clean", "help"} {
		if !regexp.MustCompile(`(?m)^` + target + `:.*## \S`).MatchString(mustRead(t, "Makefile")) {
			t.Errorf("make help does not list %s", target)
		}
	}
}

func TestDemoStartsFromACleanClone(t *testing.T) {
	// Because the test reads this file, go test runs it again after each commit.
	if _, err := os.ReadFile(".git/logs/HEAD"); err != nil {
		t.Skip("this is no clone, so there is nothing to clone: .git/logs/HEAD is missing")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "--quiet", ".", clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	temporary, err := os.MkdirTemp("", "demo") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	command := exec.Command("make", "demo", "ARGS=--port 0") // other programs may use the usual ports
	command.Dir = clone
	command.Env = append(os.Environ(), "TMPDIR="+temporary)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group of its own, for signals as by Ctrl-C
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	scanner := bufio.NewScanner(out)
	for scanner.Scan() && !strings.HasPrefix(scanner.Text(), "Ctrl-C") {
	}
	if !strings.HasPrefix(scanner.Text(), "Ctrl-C") {
		t.Fatal("it did not start")
	}
	if err := syscall.Kill(-command.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for scanner.Scan() {
	}
	command.Wait() // the error says that make was interrupted
	left, err := filepath.Glob(filepath.Join(temporary, "curfew-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
