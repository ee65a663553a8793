package browser

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
)

// mustSite serves something at http://HOST.localhost and returns its URL.
func mustSite(t *testing.T, host string, h http.Handler) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l) // until Close
	t.Cleanup(func() { server.Close() })
	return fmt.Sprintf("http://%s.localhost:%d", host, l.Addr().(*net.TCPAddr).Port)
}

// TestFormPostReachesACallbackThatLeadsToAnotherOrigin: Chromium applies a page's form-action to every redirect that follows the form, the
// application's own included, so the page that posts may have none.
func TestFormPostReachesACallbackThatLeadsToAnotherOrigin(t *testing.T) {
	browser := mustChromium(t)
	o, err := op.New(mustBuild(t), mustFolder(t), "curfew.localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	const password = "correct horse battery staple"
	if err := o.AddUser(t.Context(), "ann", password); err != nil {
		t.Fatal(err)
	}
	elsewhere := mustSite(t, "elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Elsewhere</title><h1>Welcome</h1>"))
	}))
	var app *rp.App
	var posted atomic.Int32
	// A post from another site comes without the application's cookie (SameSite=Lax), so it leads to a GET with the same parameters.
	url := mustSite(t, "atlas", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			posted.Add(1)
			http.Redirect(w, r, r.URL.Path+"?"+r.PostForm.Encode(), http.StatusSeeOther)
			return
		}
		app.ServeHTTP(w, r)
	}))
	app = rp.New(rp.Config{Name: "Atlas", URL: url, Issuer: o.Issuer, ClientID: "atlas", ClientSecret: "0123456789abcdef0123456789abcdef", After: elsewhere + "/welcome"})
	metadata := app.Metadata()
	metadata["consent"] = "ask"
	if err := o.AddClient(t.Context(), metadata); err != nil {
		t.Fatal(err)
	}

	t.Run("with scripts", func(t *testing.T) {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		p.mustSignIn(url+"/login?response_mode=form_post", "ann", password)
		p.mustClick("#allow")
		p.mustWaitAt(elsewhere + "/welcome")
	})
	t.Run("without scripts, the person continues", func(t *testing.T) {
		p := mustTab(t, browser, chromedp.WithNewBrowserContext())
		p.mustForbidScripts()
		p.mustSignIn(url+"/login?response_mode=form_post", "ann", password)
		p.mustClick("#submit-form")
		p.mustWaitAt(elsewhere + "/welcome")
	})
	if n := posted.Load(); n != 2 {
		t.Errorf("%d answers were posted, want 2", n)
	}
}
