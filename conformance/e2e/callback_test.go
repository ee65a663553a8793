package e2e

import (
	"net/http"
	"testing"

	"github.com/curfew-id/curfew/conformance/rp"
)

// TestSignInWorksForACallbackThatLeadsToAnotherOrigin: Chromium applies a page's form-action to every redirect that follows the form, the
// application's own included. A policy that names the redirect URI only would stop the person on the sign-in page.
func TestSignInWorksForACallbackThatLeadsToAnotherOrigin(t *testing.T) {
	browser := mustChromium(t)
	o := mustProvider(t)
	elsewhere := mustSite(t, "elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Elsewhere</title><h1>Welcome elsewhere</h1>"))
	}))
	_, first := mustApp(t, o, rp.Config{Name: "Atlas", After: elsewhere + "/welcome"}, map[string]any{"consent": "skip"})
	_, second := mustApp(t, o, rp.Config{Name: "Birch", After: elsewhere + "/agreed"}, map[string]any{"consent": "ask"})
	page := mustTab(t, browser)

	page.mustSignIn(first+"/login", "ann", password)
	page.mustWaitAt(elsewhere + "/welcome")

	page.mustGo(second + "/login")
	page.mustClick("allow")
	page.mustWaitAt(elsewhere + "/agreed")
}
