package main

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/templates"
)

// mustDemo starts `curfew demo` in a process of its own and returns what it announced.
func mustDemo(t *testing.T, temporary string) (announced string, stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "demo", "--port", "0")
	command.Args[0] = "curfew" // by which testscript.Main knows what to run
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
	person := regexp.MustCompile(`(?m)^ann +(\S+)`).FindStringSubmatch(announced)
	if len(apps) != 3 || person == nil {
		t.Fatalf("announced:\n%s", announced)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if want := "or " + self + " session list --config " + temporary; !strings.Contains(announced, want) {
		t.Errorf("want %q, since the program may be on no PATH; announced:\n%s", want, announced)
	}
	v, err := newVisitor()
	if err != nil {
		t.Fatal(err)
	}
	for i, app := range apps {
		page, err := v.get(app[1] + "/login")
		if err == nil && i == 0 {
			page, err = v.submit(page, url.Values{"username": {"ann"}, "password": {person[1]}})
		}
		if err != nil {
			t.Fatal(err)
		}
		if !mustState(t, v, app[1]).SignedIn {
			t.Fatalf("not signed in at %s, but at %s:\n%s", app[1], page.url, page.body)
		}
	}
	pages := regexp.MustCompile(`http://pages\.\S+`).FindString(announced)
	for _, name := range []string{"", templates.Samples()[0].Name} {
		if page, err := v.get(pages + name); err != nil || !strings.Contains(page.body, "<title>") {
			t.Errorf("%s%s: got %q, %v", pages, name, page.body, err)
		}
	}
	// Signing out at Birch tells Atlas and Cedar from server to server.
	if _, err := v.get(apps[1][1] + "/logout"); err != nil {
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
			t.Errorf("%s was told by %q, want backchannel", app, got)
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

func mustState(t *testing.T, v *visitor, app string) (state appState) {
	t.Helper()
	page, err := v.get(app + "/state")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(page.body), &state); err != nil {
		t.Fatal(err)
	}
	return state
}
