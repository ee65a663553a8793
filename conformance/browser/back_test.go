package browser

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// mustOpenAccount signs in at the account page.
func (p *tab) mustOpenAccount(d *demo) {
	p.t.Helper()
	p.mustSignIn(d.issuer+"/account", "ann", d.ann)
	p.mustWaitText("h1", "Your devices")
}

// mustGoBackToAccount presses the back button until the account page comes, in one go.
func (p *tab) mustGoBackToAccount(d *demo) {
	p.t.Helper()
	history := mustCall(p, page.GetNavigationHistory, cdp.Empty{})
	for _, entry := range history.Entries {
		if entry.URL == d.issuer+"/account" {
			mustCall(p, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID})
			return
		}
	}
	p.t.Fatalf("no account page among %d entries", len(history.Entries))
}

// mustShowNothing waits for the sign-in page. Until then no page of a signed-in user may be shown.
func (p *tab) mustShowNothing(d *demo) {
	p.t.Helper()
	p.mustWait(exposed + " || location.href.startsWith('" + d.issuer + "/login/')")
	if mustShow[bool](p, exposed) {
		p.t.Errorf("the back button shows a page of a user who is signed out:\n%s", p.text())
	}
}

// exposed holds where the account page can be seen. A page that is hidden still has its text.
const exposed = "(document.body.checkVisibility() && document.body.innerText.includes('ann@example.org'))"

// TestBackShowsNothingAfterALogoutInThisBrowser: the header of a style sheet and the cookie's removal make Chromium
// forget the page, with and without scripts.
func TestBackShowsNothingAfterALogoutInThisBrowser(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	for _, scripts := range []bool{true, false} {
		name := map[bool]string{true: "with scripts", false: "without scripts"}[scripts]
		open := func(t *testing.T) *tab {
			p := mustTab(t, browser, chromedp.WithNewBrowserContext())
			if !scripts {
				p.mustForbidScripts()
			}
			p.mustOpenAccount(d)
			return p
		}
		t.Run("at the account page, "+name, func(t *testing.T) {
			p := open(t)
			p.mustClick("header .account a")
			p.mustClick("#sign-out")
			p.mustWaitText("#signed-out", "signed out")
			p.mustGoBackToAccount(d)
			p.mustShowNothing(d)
		})
		t.Run("at an application, "+name, func(t *testing.T) {
			p := open(t)
			p.mustGo(d.atlas + "/login")
			p.mustClick("#logout")
			p.mustWaitAt(d.atlas + "/?state=") // by way of the provider
			p.mustGoBackToAccount(d)
			p.mustShowNothing(d)
		})
	}
}

// TestPagesLeaveAtOnceAfterALogoutElsewhere: no header reaches a page that is open or kept; the page's own script has
// to ask.
func TestPagesLeaveAtOnceAfterALogoutElsewhere(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	t.Run("when the back button brings a kept page", func(t *testing.T) {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		// Chromium keeps no page whose script got an answer with no-store. Where that changes, the page still leaves.
		mustCall(p, network.Enable, network.EnableParams{})
		probe := &network.BlockPattern{URLPattern: d.issuer + "/account/probe", Block: true}
		mustCall(p, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{probe}})
		p.mustOpenAccount(d)
		mustShow[bool](
			p,
			"addEventListener('pageshow', function (e) { sessionStorage.setItem('kept', e.persisted); }), true",
		)
		p.mustGo(d.atlas)
		d.mustRun(t, "session", "end", "--user", "ann", "--all")
		p.mustGoBackToAccount(d)
		p.mustShowNothing(d)
		if mustShow[string](p, "String(sessionStorage.getItem('kept'))") != "true" {
			t.Error("this Chromium did not keep the page, so that nothing was shown about one that is kept")
		}
	})
	t.Run("when somebody looks at the page again", func(t *testing.T) {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		// Without the regular question, so that the look alone counts.
		mustCall(
			p,
			page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: "window.setInterval = function () {};"},
		)
		p.mustOpenAccount(d)
		p.mustWait("performance.now() > 1500") // the page asks once a second at most
		d.mustRun(t, "session", "end", "--user", "ann", "--all")
		mustShow[bool](p, "dispatchEvent(new Event('focus'))") // a headless window never loses the focus, nor gets it
		p.mustWaitAt(d.issuer + "/login/")
	})
	t.Run("when another tab of the browser signs out", func(t *testing.T) {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		p.mustOpenAccount(d)
		other := mustTab(t, p.ctx)
		other.mustGo(d.issuer + "/end_session")
		other.mustClick("#sign-out")
		p.mustWaitAt(d.issuer + "/login/")
	})
}

// TestChromiumWithoutScriptsShowsAKeptPageThreeMinutesAtMost after an ending elsewhere: neither a header nor a script
// can make it forget the page sooner. It is a picture only: every way on leads to the sign-in page.
func TestChromiumWithoutScriptsShowsAKeptPageThreeMinutesAtMost(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	leave := func(t *testing.T) *tab {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		p.mustForbidScripts()
		p.mustOpenAccount(d)
		p.mustGo(d.atlas)
		d.mustRun(t, "session", "end", "--user", "ann", "--all")
		return p
	}
	for _, way := range []string{"nav a[aria-current]", "nav a:not([aria-current])", "#sign-out-everywhere"} {
		t.Run("no way on from it, by "+way, func(t *testing.T) {
			p := leave(t)
			p.mustGoBackToAccount(d)
			p.mustWaitText("h1", "Your devices")
			mustShow[bool](p, "document.querySelector('"+way+"').click(), true")
			p.mustWaitAt(d.issuer + "/login/")
		})
	}
	t.Run("after three minutes", func(t *testing.T) {
		if os.Getenv("CURFEW_THREE_MINUTES") == "" {
			t.Skip("takes three real minutes, for Chromium has no other clock: set CURFEW_THREE_MINUTES=1")
		}
		p := leave(t)
		time.Sleep(185 * time.Second)
		p.mustGoBackToAccount(d)
		p.mustShowNothing(d)
	})
}
