package curfew_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shBlock matches a block of shell commands in a document.
var shBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestEveryCommandInTheDocsRuns runs the commands of each document in order, in an empty folder, with the built program
// on the PATH. `curfew serve` runs in the background until the end of the document.
func TestEveryCommandInTheDocsRuns(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "curfew"), "./cmd/curfew").CombinedOutput(); err != nil {
		t.Fatalf("build curfew: %v\n%s", err, out)
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("got no pages: %v", err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			// Another program may use the port of the document; the environment overrides the file.
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(listener.Addr().String())
			if err != nil || listener.Close() != nil {
				t.Fatal("got no free port")
			}
			environment := append(
				os.Environ(),
				"PATH="+bin+":"+os.Getenv("PATH"),
				"CURFEW_ISSUER=http://localhost:"+port,
			)
			for _, block := range shBlock.FindAllStringSubmatch(string(text), -1) {
				script := block[1]
				if strings.HasPrefix(script, "curfew serve") {
					mustServe(t, bin, folder, environment, script)
					continue
				}
				// As in a user's shell, later blocks have the exported variables of earlier ones.
				readExports := "set -eu\n[ ! -e .exports ] || . ./.exports\n"
				writeExports := "\nexport -p | grep CURFEW_ > .exports || true\n"
				script = readExports + script + writeExports
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				command := exec.CommandContext(ctx, "sh", "-c", script)
				command.Dir, command.Env = folder, environment
				out, err := command.CombinedOutput()
				cancel()
				if err != nil {
					t.Errorf("got %v from\n%s\n%s", err, block[1], out)
				}
			}
		})
	}
}

// mustServe starts a server and waits until it is ready. The server is stopped at the end of the test.
func mustServe(t *testing.T, bin, folder string, environment []string, script string) {
	t.Helper()
	server := exec.Command("sh", "-c", "exec "+strings.TrimSpace(script))
	server.Dir, server.Env = folder, environment
	var log strings.Builder
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err != nil {
			t.Errorf("got %v from the server\n%s", err, log.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		check := exec.Command(filepath.Join(bin, "curfew"), "healthcheck", "--config", "curfew.yaml")
		check.Dir, check.Env = folder, environment
		out, err := check.CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got no ready server: %v\n%s", err, out)
		}
	}
}
