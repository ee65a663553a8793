package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp/remote"

	"github.com/curfew-id/curfew/conformance/need"
)

// firefox is one tab of a Firefox, driven by WebDriver BiDi. Its messages look like those of Chromium's protocol, so
// the connection is the same.
type firefox struct {
	t       *testing.T
	conn    *remote.Conn
	last    int64
	heard   string // the last message, for errors
	context string
}

// mustFirefox starts Firefox with a fresh profile; it ends with the test. Without scripts no page gets any.
func mustFirefox(t *testing.T, scripts bool) *firefox {
	t.Helper()
	profile := mustFolder(t)
	preference := fmt.Sprintf("user_pref(\"javascript.enabled\", %v);\n", scripts)
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(preference), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(
		need.Program(t, "firefox-esr"),
		"--headless",
		"--no-remote",
		"--profile",
		profile,
		"--remote-debugging-port",
		"0",
		"about:blank",
	)
	says, err := process.StderrPipe()
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
	address := ""
	for lines := bufio.NewScanner(says); address == "" && lines.Scan(); {
		_, address, _ = strings.Cut(lines.Text(), "WebDriver BiDi listening on ")
	}
	if address == "" {
		t.Fatal("firefox ended before it could be driven")
	}
	go io.Copy(io.Discard, says) // until Firefox ends; it would wait if nobody read

	f := &firefox{t: t}
	f.conn, err = remote.DialContext(
		t.Context(),
		address+"/session",
		remote.WithConnDebugf(func(_ string, said ...any) { f.heard = fmt.Sprintf("%s", said...) }),
	)
	if err != nil {
		t.Fatalf("connect to firefox: %v", err)
	}
	t.Cleanup(func() { f.conn.Close() })
	f.mustCall("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	var tree struct{ Contexts []struct{ Context string } }
	f.mustCall("browsingContext.getTree", map[string]any{"maxDepth": 0}, &tree)
	f.context = tree.Contexts[0].Context
	return f
}

// call gives a command and reads its result.
func (f *firefox) call(method string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	defer time.AfterFunc(patience, func() { f.conn.Close() }).Stop()
	f.last++
	if err := f.conn.Write(f.t.Context(), &cdproto.Message{
		ID:     f.last,
		Method: cdproto.MethodType(method),
		Params: raw,
	}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	for {
		var answer cdproto.Message
		// An error is text in BiDi and an object in Chromium's protocol: then reading fails.
		if err := f.conn.Read(f.t.Context(), &answer); err != nil {
			return fmt.Errorf("%s: %w: %s", method, err, f.heard)
		}
		switch {
		case answer.ID != f.last: // an event
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (f *firefox) mustCall(method string, params, result any) {
	f.t.Helper()
	if err := f.call(method, params, result); err != nil {
		f.t.Fatal(err)
	}
}

func (f *firefox) mustGo(url string) {
	f.t.Helper()
	f.mustCall("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"}, nil)
}

// holds reports whether an expression holds on the page that is shown now.
func (f *firefox) holds(expression string) (bool, error) {
	var answer struct {
		Type   string
		Result struct{ Value bool }
	}
	err := f.call(
		"script.evaluate",
		map[string]any{
			"target":         map[string]any{"context": f.context},
			"awaitPromise":   false,
			"userActivation": true,
			"expression":     "document.readyState === 'complete' && Boolean(" + expression + ")",
		},
		&answer,
	)
	return answer.Result.Value, err
}

// mustWait waits until an expression holds.
func (f *firefox) mustWait(expression string) {
	f.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// An error means that the page is on its way to another.
		holds, err := f.holds(expression)
		if err == nil && holds {
			return
		}
		select {
		case <-deadline.C:
			f.t.Fatalf("%s does not come true: %v", expression, err)
		case <-tick.C:
		}
	}
}

// mustClick clicks what a selector finds, once it is there.
func (f *firefox) mustClick(selector string) {
	f.t.Helper()
	f.mustWait(fmt.Sprintf("document.querySelector(%q)", selector))
	if _, err := f.holds(fmt.Sprintf("document.querySelector(%q).click()", selector)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *firefox) mustSignIn(url, login, password string) {
	f.t.Helper()
	f.mustGo(url)
	f.mustWait(
		fmt.Sprintf(
			"document.getElementById('username').value = %q, document.getElementById('password').value = %q",
			login,
			password,
		),
	)
	f.mustClick("#sign-in")
}
