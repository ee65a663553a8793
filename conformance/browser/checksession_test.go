package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// watching is a relying party's page with the provider's check_session_iframe in it: ask() asks, and the answer
// becomes the page's title.
const watching = `<!doctype html><title>none</title><iframe id="op" src="%[1]s/check_session"></iframe><script>
var ready = false;
document.getElementById("op").onload = function () { ready = true; };
window.addEventListener("message", function (e) { if (e.origin === "%[1]s") { document.title = e.data; } });
function ask(message) { document.title = "none"; document.getElementById("op").contentWindow.postMessage(message, "%[1]s"); }
function state() { return new URLSearchParams(location.search).get("session_state"); }
</script>`

// TestCheckSessionFrameAnswersInChromium: Session Management 1.0 §3.2, with the script's own arithmetic. Where the
// browser hides the cookie from frames on other sites, the answer is error: changed would send the application round
// in circles.
func TestCheckSessionFrameAnswersInChromium(t *testing.T) {
	browser := mustChromium(t)
	o := mustProvider(t, "curfew.one")
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, watching, o.Issuer)
	})
	authorize := map[string]string{}
	for client, host := range map[string]string{
		"atlas":    "atlas.one",
		"birch":    "birch.one",
		"stranger": "stranger.two",
	} {
		callback := mustSite(t, host, page) + "/cb"
		if err := o.AddClient(t.Context(), map[string]any{
			"client_id":     client,
			"client_name":   client,
			"redirect_uris": []string{callback},
			"consent":       "skip",
			"check_session": true,
			"require_pkce":  false,
		}); err != nil {
			t.Fatal(err)
		}
		authorize[client] = o.Issuer + "/authorize?" + url.Values{
			"client_id":     {client},
			"redirect_uri":  {callback},
			"response_type": {"code"},
			"scope":         {"openid"},
		}.Encode()
	}
	p := mustTab(t, browser, chromedp.WithNewBrowserContext())
	mustAnswer := func(message, want string) {
		t.Helper()
		p.mustWait("ready")
		mustShow[bool](p, "ask("+message+"), true")
		p.mustWait("document.title !== 'none'")
		if got := mustShow[string](p, "document.title"); got != want {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
	p.mustSignIn(authorize["atlas"], "ann", password)
	p.mustWait("typeof state === 'function'")
	mustAnswer(`"atlas " + state()`, "unchanged")
	mustAnswer(`"atlas " + state()`, "unchanged") // the origin is known by now
	mustAnswer(`"atlas " + state() + "x"`, "changed")
	mustAnswer(`"birch " + state()`, "error") // not from birch's own origin
	mustAnswer(`"atlas"`, "error")
	mustAnswer(`"atlas nonsense"`, "error")
	atlas := mustShow[string](p, "location.href")

	p.mustGo(authorize["birch"])
	p.mustWait("typeof state === 'function'")
	mustAnswer(`"birch " + state()`, "unchanged")
	p.mustGo(authorize["stranger"])
	p.mustWait("typeof state === 'function'")
	mustAnswer(`"stranger " + state()`, "error") // another site: its frames get no cookie

	p.mustGo(o.Issuer + "/end_session")
	p.mustClick("#sign-out")
	p.mustWaitText("#signed-out", "signed out")
	p.mustGo(atlas)
	p.mustWait("typeof state === 'function'")
	mustAnswer(`"atlas " + state()`, "changed")
}
