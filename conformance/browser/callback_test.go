package browser

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/curfew-id/curfew/conformance/rp"
)

// mustElsewhere is a site that is neither the provider's nor an application's own.
func mustElsewhere(t *testing.T) (url string) {
	t.Helper()
	return mustSite(t, "elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Elsewhere</title><h1>Welcome</h1>"))
	}))
}

// Chromium applies a page's form-action to every redirect that follows the form, also to redirects by the app. A policy
// with the redirect URI only would keep the user on the sign-in page.
func TestSignInWorksForACallbackThatLeadsToAnotherOrigin(t *testing.T) {
	browser := mustChromium(t)
	o := mustProvider(t, "curfew")
	elsewhere := mustElsewhere(t)
	_, first := mustApp(
		t,
		o,
		rp.Config{Name: "Atlas", AfterSignIn: elsewhere + "/welcome"},
		map[string]any{"consent": "skip"},
	)
	_, second := mustApp(
		t,
		o,
		rp.Config{Name: "Birch", AfterSignIn: elsewhere + "/agreed"},
		map[string]any{"consent": "ask"},
	)
	page := mustTab(t, browser)

	page.mustSignIn(first+"/login", "ann", password)
	page.mustWaitAt(elsewhere + "/welcome")

	page.mustGo(second + "/login")
	page.mustClick("#allow")
	page.mustWaitAt(elsewhere + "/agreed")
}

// TestFormPostReachesACallbackThatLeadsToAnotherOrigin: Chromium applies a page's form-action to every redirect that
// follows the form, the application's own included, so the page that posts may have none.
func TestFormPostReachesACallbackThatLeadsToAnotherOrigin(t *testing.T) {
	browser := mustChromium(t)
	o := mustProvider(t, "curfew")
	elsewhere := mustElsewhere(t)
	var app *rp.App
	var posted atomic.Int32
	// A post from another site comes without the application's cookie (SameSite=Lax), so it leads to a GET with the
	// same parameters.
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
	app = rp.New(
		rp.Config{
			Name:         "Atlas",
			URL:          url,
			Issuer:       o.Issuer,
			ClientID:     "atlas",
			ClientSecret: secret,
			AfterSignIn:  elsewhere + "/welcome",
		},
	)
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
