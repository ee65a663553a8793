// Package browser looks at a built curfew through real browsers: what people see, what their back button shows, and what works without
// scripts.
package browser

import (
	"bufio"
	"context"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-id/curfew/conformance/op"
)

// temporary is the folder of everything that these tests leave; its path is short enough for a socket's.
var temporary string

// build builds the binary under test, for the first test that needs it.
var build = sync.OnceValues(func() (program string, err error) { return op.Build(context.Background(), temporary, false) })

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if temporary, err = os.MkdirTemp("", "browser-"); err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(temporary)
	return m.Run()
}

func mustBuild(t *testing.T) (program string) {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// mustFind finds a browser, or skips the test and says how to get it. Where everything is required, as in continuous integration, it fails.
func mustFind(t *testing.T, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CURFEW_REQUIRE_ALL") != "":
		t.Fatalf("%v; it is in the Debian package %s", err, name)
	}
	t.Skipf("%v; it is in the Debian package %s", err, name)
	return ""
}

func mustFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp(temporary, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// demo is a running `curfew demo`.
type demo struct {
	issuer, atlas, birch, cedar string // without a slash at the end
	pages                       string // with one
	ann                         string // her password
	config                      string
}

func mustDemo(t *testing.T) *demo {
	t.Helper()
	process := exec.Command(mustBuild(t), "demo", "--port", "0")
	process.Env = append(os.Environ(), "TMPDIR="+mustFolder(t))
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	var announced strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C") {
		announced.WriteString(lines.Text() + "\n")
	}
	find := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(announced.String())
		if found == nil {
			t.Fatalf("the demo announces nothing like %s:\n%s", pattern, announced.String())
		}
		return found[1]
	}
	return &demo{
		issuer: find(`(http://curfew\S+)\. `), pages: find(`(http://pages\S+)`), config: find(`--config (\S+)`),
		atlas: find(`(http://atlas\S+)/`), birch: find(`(http://birch\S+)/`), cedar: find(`(http://cedar\S+)/`),
		ann: find(`(?m)^ann +(\S+)`),
	}
}

// mustRun gives a command to the demo's provider.
func (d *demo) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), mustBuild(t), append(args, "--config", d.config)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curfew %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// mustKeep writes a file of build output, which a person may look at.
func mustKeep(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	folder = filepath.Join("..", "..", "build", folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
