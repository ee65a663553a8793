package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
	"github.com/curfew-id/curfew/templates"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"curfew-demo": func() { os.Exit(Main()) },
	})
}

// mustDemo starts the demo in a process of its own and returns its announcement.
func mustDemo(t *testing.T, temporary string) (announced string, stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "--port", "0")
	command.Args[0] = "curfew-demo" // by which testscript.Main knows what to run
	command.Env = append(os.Environ(), "TMPDIR="+temporary, "CURFEW_ISSUER=https://elsewhere.example")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	var text strings.Builder
	scanner := bufio.NewScanner(out)
	for scanner.Scan() && !strings.HasPrefix(scanner.Text(), "Ctrl-C") {
		text.WriteString(scanner.Text() + "\n")
	}
	return text.String(), func() {
		t.Helper()
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestDemoSignsInAtThreeSignsOutEverywhereAndLeavesNothing(t *testing.T) {
	temporary, err := os.MkdirTemp("", "demo") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	announced, stop := mustDemo(t, temporary)
	apps := regexp.MustCompile(`(?m)^(http://(?:atlas|birch|cedar)\S+)/ `).FindAllStringSubmatch(announced, -1)
	user := regexp.MustCompile(`(?m)^ann +(\S+)`).FindStringSubmatch(announced)
	if len(apps) != 3 || user == nil {
		t.Fatalf("announced:\n%s", announced)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(self), "curfew")
	if want := "or " + program + " session list --config " + temporary; !strings.Contains(announced, want) {
		t.Errorf("want %q, since the program may be on no PATH; announced:\n%s", want, announced)
	}
	v, err := op.NewBrowser(rp.LocalClient().Transport)
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range apps {
		page, err := v.SignIn(app[1]+"/login", "ann", user[1])
		if err != nil {
			t.Fatal(err)
		}
		if !mustState(t, v, app[1]).SignedIn {
			t.Fatalf("not signed in at %s, but at %s:\n%s", app[1], page.URL, page.Body)
		}
	}
	pages := regexp.MustCompile(`http://pages\.\S+`).FindString(announced)
	for _, name := range []string{"", templates.Samples()[0].Name} {
		if page, err := v.Get(pages + name); err != nil || !strings.Contains(page.Body, "<title>") {
			t.Errorf("%s%s: got %q, %v", pages, name, page.Body, err)
		}
	}
	// Signing out at Birch notifies Atlas and Cedar from server to server.
	if _, err := v.Get(apps[1][1] + "/logout"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for _, app := range []string{apps[0][1], apps[2][1]} {
		for mustState(t, v, app).SignedIn {
			if time.Now().After(deadline) {
				t.Fatalf("still signed in at %s", app)
			}
		}
		if got := mustState(t, v, app).Ended.Channel; got != "backchannel" {
			t.Errorf("%s was notified by %q, want backchannel", app, got)
		}
	}
	stop()
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

type appState struct {
	SignedIn bool `json:"signedIn"`
	Ended    *struct {
		Channel string `json:"channel"`
	} `json:"ended"`
}

func mustState(t *testing.T, v *op.Browser, app string) (state appState) {
	t.Helper()
	page, err := v.Get(app + "/state")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(page.Body), &state); err != nil {
		t.Fatal(err)
	}
	return state
}
