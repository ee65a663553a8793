package browser

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// demo is a running curfew-demo.
type demo struct {
	issuer, atlas, birch, cedar string // without a slash at the end
	pages                       string // with one
	ann                         string // her password
	config                      string
	folder                      string // where it keeps its temporary files
	process                     *exec.Cmd
}

func mustDemo(t *testing.T) *demo {
	t.Helper()
	program, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	folder, process := mustFolder(t), exec.Command(program, "--port", "0")
	process.Env = append(os.Environ(), "TMPDIR="+folder)
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
		issuer:  find(`(http://curfew\S+)\. `),
		pages:   find(`(http://pages\S+)`),
		config:  find(`--config (\S+)`),
		atlas:   find(`(http://atlas\S+)/`),
		birch:   find(`(http://birch\S+)/`),
		cedar:   find(`(http://cedar\S+)/`),
		ann:     find(`(?m)^ann +(\S+)`),
		folder:  folder,
		process: process,
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

// mustStop presses Ctrl-C.
func (d *demo) mustStop(t *testing.T) {
	t.Helper()
	if err := d.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := d.process.Wait(); err != nil {
		t.Errorf("after Ctrl-C: got %v", err)
	}
}
