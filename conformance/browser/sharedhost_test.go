package browser

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/curfew-id/curfew/conformance/op"
)

// mustSharedHost starts a provider below the path /auth of a host that another app uses too, at /app. A proxy is in
// front of both. It returns the issuer and the app's URL.
func mustSharedHost(t *testing.T) (issuer, app string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://shared.localhost:" + port
	o, err := op.New(mustBuild(t), mustFolder(t), "127.0.0.1", map[string]any{"issuer": origin + "/auth"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(o.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	o.Issuer = origin + "/auth"
	mux := http.NewServeMux()
	mux.Handle("/auth/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	mux.HandleFunc("/app", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Another app</title><p>another app of this host"))
	})
	server := &http.Server{Handler: mux}
	go server.Serve(listener) // until Close
	t.Cleanup(func() { server.Close() })
	if err := o.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Kill)
	if err := o.AddUser(t.Context(), "ann", password); err != nil {
		t.Fatal(err)
	}
	return o.Issuer, origin + "/app"
}

// TestSharedHostKeepsTheDataOfOtherAppsInChromium: an issuer below a path sends no Clear-Site-Data, which would empty
// the storage of the whole host. With scripts the Back button shows nothing all the same. Without scripts Chromium may show
// the page from its memory, as after a sign-out elsewhere; docs/logging-out.md says so.
func TestSharedHostKeepsTheDataOfOtherAppsInChromium(t *testing.T) {
	browser := mustChromium(t)
	issuer, app := mustSharedHost(t)
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			p := mustTab(t, browser, chromedp.WithNewBrowserContext())
			p.mustGo(app)
			mustShow[bool](p, "localStorage.setItem('kept', 'yes'), true")
			if !scripts {
				p.mustForbidScripts()
			}
			p.mustSignIn(issuer+"/account", "ann", password)
			p.mustWaitText("h1", "Your devices")
			p.mustClick("header .account a")
			p.mustClick("#sign-out")
			p.mustWaitText("#signed-out", "signed out")
			history := mustCall(p, page.GetNavigationHistory, cdp.Empty{})
			found := false
			for _, entry := range history.Entries {
				if entry.URL == issuer+"/account" {
					mustCall(p, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID})
					found = true
				}
			}
			if !found {
				t.Fatal("no account page in the history")
			}
			p.mustWait(exposed + " || location.href.startsWith('" + issuer + "/login/')")
			if scripts && mustShow[bool](p, exposed) {
				t.Errorf("the back button shows a page of a user who is signed out:\n%s", p.text())
			}
			p.mustGo(app)
			if kept := mustShow[string](p, "String(localStorage.getItem('kept'))"); kept != "yes" {
				t.Errorf("got %q in the storage of another app of the host, want it kept", kept)
			}
		})
	}
}

// TestSharedHostKeepsTheDataOfOtherAppsInFirefox is the same in Firefox.
func TestSharedHostKeepsTheDataOfOtherAppsInFirefox(t *testing.T) {
	issuer, app := mustSharedHost(t)
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			f := mustFirefox(t, scripts)
			f.mustGo(app)
			f.mustWait("(localStorage.setItem('kept', 'yes'), true)")
			f.mustSignIn(issuer+"/account", "ann", password)
			f.mustWait(exposed)
			f.mustClick("header .account a")
			f.mustClick("#sign-out")
			f.mustWait("document.getElementById('signed-out')")
			f.mustGoBackToNothing("/auth")
			f.mustGo(app)
			f.mustWait("localStorage.getItem('kept') === 'yes'")
		})
	}
}
