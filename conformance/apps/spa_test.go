package apps

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/curfew-id/curfew/conformance/need"
)

const oidcClientTS = "spa/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"

// TestSinglePageAppLosesItsSessionInChromium: oidc-client-ts. A single-page app has no back channel. On the same site as
// Curfew its monitor (Session Management 1.0) sees within seconds that the user has signed out in this browser, and its
// own sign-out ends the session at Curfew.
func TestSinglePageAppLosesItsSessionInChromium(t *testing.T) {
	chromium := need.Program(t, "chromium")
	if _, err := os.Stat(oidcClientTS); err != nil {
		need.Missing(t, "oidc-client-ts is not here: run `npm ci` in conformance/apps/spa")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o, folder := mustProvide(t, ctx)
	app := mustServeSPA(t, o.Issuer)
	err := o.AddClient(ctx, map[string]any{
		"client_id":                  "spa",
		"redirect_uris":              []string{app + "/", app + "/silent.html"},
		"post_logout_redirect_uris":  []string{app + "/"},
		"token_endpoint_auth_method": "none",
		"check_session":              true,
		"consent":                    "skip",
	})
	if err != nil {
		t.Fatal(err)
	}
	tab := mustOpenChromium(t, ctx, chromium, folder)
	must := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, o.Log.String())
		}
	}
	waitText := func(text string) {
		t.Helper()
		mustWaitFor(t, tab, fmt.Sprintf("document.body.innerText.includes(%q)", text))
	}
	click := func(id string) { t.Helper(); must("click "+id, chromedp.Click(chromedp.CSS(id), chromedp.NodeVisible)) }

	must("open the app", chromedp.Navigate(app+"/"))
	waitText("not signed in")
	click("#login")
	mustWaitFor(t, tab, "document.getElementById('password') !== null")
	must("sign in",
		chromedp.SendKeys(chromedp.CSS("#username"), "ada"),
		chromedp.SendKeys(chromedp.CSS("#password"), password),
	)
	click("#sign-in")
	waitText("signed in as ")

	// The user signs out at Curfew in another tab.
	other, closeOther := chromedp.NewContext(tab)
	defer closeOther()
	if err := chromedp.Do(other, chromedp.Navigate(o.Issuer+"/end_session"),
		chromedp.Click(chromedp.CSS("#sign-out"), chromedp.NodeVisible)); err != nil {
		t.Fatalf("sign out in another tab: %v", err)
	}
	waitText("not signed in")

	click("#login")
	mustWaitFor(t, tab, "document.getElementById('password') !== null")
	must("sign in again",
		chromedp.SendKeys(chromedp.CSS("#username"), "ada"),
		chromedp.SendKeys(chromedp.CSS("#password"), password),
	)
	click("#sign-in")
	waitText("signed in as ")
	click("#logout")
	waitText("not signed in")
	if sessions, err := o.Run(ctx, "", "session", "list", "-o", "json"); err != nil || sessions != "[]\n" {
		t.Errorf("got %v and sessions %s, want none after the app's sign-out", err, sessions)
	}
}

// mustServeSPA serves the single-page app and returns its URL.
func mustServeSPA(t *testing.T, issuer string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("spa")))
	mux.HandleFunc("/oidc-client-ts.min.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, oidcClientTS)
	})
	mux.HandleFunc("/settings.json", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuer})
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l) // until Close
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

// mustOpenChromium starts Chromium with a fresh profile and returns the context of a tab.
func mustOpenChromium(t *testing.T, ctx context.Context, program, folder string) context.Context {
	t.Helper()
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.DisableGPU,
		chromedp.UserDataDir(folder+"/chromium"),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(ctx, options...)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		end()
	})
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return tab
}

// mustWaitFor waits until an expression holds on the page that the tab shows by then.
func mustWaitFor(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// An error means that the page is on its way to another.
		holds, err := chromedp.Run(tab, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && holds {
			return
		}
		select {
		case <-tab.Done():
			t.Fatalf("%s does not come true: %v", expression, err)
		case <-tick.C:
		}
	}
}
