package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// mustForbidScripts turns off the scripts of all pages in the tab.
func (p *tab) mustForbidScripts() {
	p.t.Helper()
	mustCall(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// TestSignInAndOutNeedNoScript: the first answer holds the frames, refreshes to a page without them, and that leads
// back.
func TestSignInAndOutNeedNoScript(t *testing.T) {
	page := mustTab(t, mustChromium(t))
	d := mustDemo(t)
	page.mustForbidScripts()
	page.mustSignIn(d.atlas+"/login", "ann", d.ann)
	page.mustWaitAt(d.atlas + "/")
	page.mustWaitText("#in", "Signed in as Ann Archer")
	page.mustGo(d.birch + "/login")
	page.mustWaitText("#in", "Signed in as Ann Archer")

	page.mustGo(d.atlas)
	page.mustClick("#logout")
	page.mustWaitAt(d.issuer + "/signed-out/")
	page.mustWaitText("#signed-out", "signed out")
	page.mustWait("document.querySelectorAll('iframe').length === 1") // Birch's
	page.mustWait("document.querySelectorAll('iframe').length === 0") // loaded again, without frames
	page.mustWaitText(".entry", "Birch")
	page.mustWaitText(".entry", "Can’t be verified")
	if text := page.text(); strings.Contains(text, "Stay here") {
		t.Errorf("a button that needs a script is shown:\n%s", text)
	}
	page.mustWaitAt(d.atlas + "/")
	page.mustWaitText("#out", "Not signed in")
	page.mustGo(d.birch)
	page.mustWaitText("#logout-message", "by: frontchannel")
}

// TestSignInAndOutNeedNoScriptInFirefox goes the same way.
func TestSignInAndOutNeedNoScriptInFirefox(t *testing.T) {
	f := mustFirefox(t, false)
	d := mustDemo(t)
	f.mustSignIn(d.issuer+"/account", "ann", d.ann)
	f.mustWait(exposed)
	f.mustWait("window.curfew === undefined") // no script of the page has run
	f.mustGo(d.birch + "/login")
	f.mustWait("document.getElementById('in').innerText.includes('Signed in as Ann Archer')")
	f.mustGo(d.atlas + "/login")
	f.mustClick("#logout")
	f.mustWait("document.getElementById('signed-out') && document.querySelectorAll('iframe').length === 1")
	f.mustWait("location.pathname.startsWith('/signed-out/') && document.querySelectorAll('iframe').length === 0")
	f.mustWait("location.href.startsWith('" + d.atlas + "/')")
	f.mustWait("document.getElementById('out').innerText.includes('Not signed in')")
	f.mustGo(d.birch)
	f.mustWait("document.getElementById('logout-message').innerText.includes('by: frontchannel')")
}
