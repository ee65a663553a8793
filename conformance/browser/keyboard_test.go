package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// onTheBox puts the keyboard on the first session's check box; pressed is the button that the browser then presses by itself.
const (
	onTheBox = "document.getElementById('session-1') && (document.getElementById('session-0').focus(), " +
		"document.addEventListener('click', function (e) { if (e.target.tagName === 'BUTTON') { window.pressed = e.target.textContent; } }), true)"
	pressed = "window.pressed === 'Nothing'"
)

// TestEnterOnACheckBoxEndsNothing: Enter presses the form's first button. Chromium passes over those that are disabled.
func TestEnterOnACheckBoxEndsNothing(t *testing.T) {
	d := mustDemo(t)
	browser := mustChromium(t)
	p := mustTab(t, browser, chromedp.WithNewBrowserContext())
	p.mustOpenAccount(d)
	mustTab(t, browser, chromedp.WithNewBrowserContext()).mustOpenAccount(d)
	p.mustGo(d.issuer + "/account")
	p.mustWait(onTheBox)
	p.mustDo("press Enter", chromedp.KeyEvent(kb.Enter))
	p.mustWait(pressed)
	d.mustKeepSessions(t, 2)

	f := mustFirefox(t, true)
	f.mustSignIn(d.issuer+"/account", "ann", d.ann)
	f.mustWait(onTheBox)
	f.mustPress("\uE007") // Enter, as WebDriver names it
	f.mustWait(pressed)
	d.mustKeepSessions(t, 3)
}

// mustKeepSessions wants that many sessions of Ann's, asking at the provider's own interface.
func (d *demo) mustKeepSessions(t *testing.T, want int) {
	t.Helper()
	if out := d.mustRun(t, "session", "list", "--user", "ann", "-o", "json"); strings.Count(out, `"auth_time"`) != want {
		t.Errorf("got these sessions, want %d:\n%s", want, out)
	}
}
