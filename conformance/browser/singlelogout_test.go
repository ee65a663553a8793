package browser

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// signInAtThree signs a person in at all applications, in a tab each, and marks each page, so that a reload would show.
func (d *demo) signInAtThree(t *testing.T, browser context.Context) (atlas, birch, cedar *tab) {
	t.Helper()
	tabs := make([]*tab, 0, 3)
	for i, app := range []string{d.atlas, d.birch, d.cedar} {
		page := mustTab(t, browser)
		if i == 0 {
			page.mustSignIn(app+"/login", "ann", d.ann)
		} else {
			page.mustGo(app + "/login") // single sign-on
		}
		page.mustWaitAt(app + "/")
		page.mustWait("document.getElementById('main').dataset.signedIn === 'true'")
		mustShow[bool](page, "window.sameDocument = true")
		tabs = append(tabs, page)
	}
	return tabs[0], tabs[1], tabs[2]
}

// mustLose waits until a page has lost its session by itself, and checks which channel it names.
func (p *tab) mustLose(channel string, claims ...string) {
	p.t.Helper()
	p.mustWait("document.getElementById('main').dataset.signedIn === 'false'")
	if !mustShow[bool](p, "window.sameDocument === true") {
		p.t.Error("the page was loaded again")
	}
	p.mustWaitText("#out", "Not signed in")
	p.mustWaitText("#logout-message", "by: "+channel)
	for _, claim := range claims {
		p.mustWaitText("#claims", claim)
	}
	if mustShow[bool](p, "document.getElementById('in').checkVisibility()") {
		p.t.Error("the page still shows who was signed in")
	}
}

func TestDemoSignsInAtThreeAndOutOfAllInChromium(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	atlas, birch, cedar := d.signInAtThree(t, browser)
	atlas.mustWaitText("#in", "Signed in as Ann")
	atlas.mustWaitText("#since", ":")

	// Cedar is notified both ways; Atlas from server to server, Birch by a frame in Cedar's tab.
	cedar.mustClick("#logout")
	cedar.mustWaitAt(d.issuer + "/")
	atlas.mustLose("backchannel", "http://schemas.openid.net/event/backchannel-logout", `"sid"`, `"aud": "atlas"`)
	birch.mustLose("frontchannel", d.issuer, `"sid"`)
	cedar.mustWaitAt(d.cedar + "/") // the status page goes back by itself
	cedar.mustWaitText("#out", "Not signed in")

	// Nobody is signed in any more: the way in leads to the password.
	atlas.mustGo(d.atlas + "/login")
	atlas.mustWait("document.getElementById('password') !== null")

	d.mustStop(t)
	if left, err := filepath.Glob(filepath.Join(d.folder, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, address := range []string{d.issuer, d.atlas} {
		target, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.DialTimeout("tcp", "127.0.0.1:"+target.Port(), time.Second); err == nil {
			conn.Close()
			t.Errorf("%s still answers", address)
		}
	}
}

// TestStatusPageIsHonestAboutAnApplicationThatMisbehaves: what the provider's page says follows what Cedar was
// switched to on its own page.
func TestStatusPageIsHonestAboutAnApplicationThatMisbehaves(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	for _, c := range []struct{ behaviour, says, messages string }{
		{"slow", "it didn’t answer. Trying again at", ""},
		{"refusing", "it refused (status 400). Trying again at", "answered 400"},
		{"broken", "it refused (status 503). Trying again at", "answered 503"},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			atlas, _, cedar := d.signInAtThree(t, browser)
			cedar.mustClick("#" + c.behaviour)
			cedar.mustClick("#set-behaviour")
			cedar.mustWait("!window.sameDocument && document.getElementById('" + c.behaviour + "').checked")
			mustShow[bool](cedar, "window.sameDocument = true")

			atlas.mustClick("#logout")
			atlas.mustClick("#stay-here")
			atlas.mustClick("#details > summary")
			atlas.mustWaitText("#details", c.says)
			atlas.mustWaitText("#details", "Asked through your browser")
			atlas.mustWaitText("#details", "Confirmed")
			if mustShow[int](atlas, "document.querySelectorAll('iframe').length") == 0 {
				t.Error("the first answer has no frames")
			}
			// The frame reached Cedar all the same.
			cedar.mustLose("frontchannel")
			if c.messages != "" {
				cedar.mustWaitText("#messages", c.messages)
			}
		})
	}
}

// TestReportFollowsWhatBecomesKnown: what is outdated leaves the open page.
func TestReportFollowsWhatBecomesKnown(t *testing.T) {
	browser := mustChromium(t)
	d := mustDemo(t)
	other := mustTab(t, browser, chromedp.WithNewBrowserContext())
	other.mustSignIn(d.cedar+"/login", "ann", d.ann)
	other.mustClick("#slow")
	other.mustClick("#set-behaviour")
	other.mustWait("document.getElementById('slow').checked")

	p := mustTab(t, browser, chromedp.WithNewBrowserContext())
	p.mustSignIn(d.issuer+"/account", "ann", d.ann)
	p.mustClick("#more > summary")
	p.mustClick("#sign-out-others")
	p.mustClick("#details > summary")
	p.mustWaitText("[data-horizon=note]", "Unknown for 1: Cedar")
	other.mustClick("#normal")
	other.mustClick("#set-behaviour")
	p.mustWaitText("[data-horizon=clients]", "1 confirmed")
	p.mustWait("document.querySelector('[data-horizon=note]').innerText === ''")
}
