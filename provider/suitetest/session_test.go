package suitetest

import (
	"crypto/sha256"
	"encoding/hex"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
)

var dataPattern = regexp.MustCompile(`data-(cookie|origins-url)="([^"]*)"`)

// frameAnswer returns the OP iframe's answer to a client's message (Session Management 1.0 §3.2). It computes the
// answer from the browser's cookies as the iframe's script does. A test with a real browser runs the script itself.
func (m *module) frameAnswer(origin, message string) string {
	m.Helper()
	p := m.browser.Get("/check_session")
	data := map[string]string{}
	for _, found := range dataPattern.FindAllStringSubmatch(p.Body, -1) {
		data[found[1]] = html.UnescapeString(found[2])
	}
	if p.Status != http.StatusOK || data["cookie"] == "" || data["origins-url"] == "" {
		m.Fatalf("got %d %s, want the frame's page", p.Status, p.Body)
	}
	space := strings.LastIndex(message, " ")
	if space < 1 || space == len(message)-1 {
		return "error"
	}
	client, state := message[:space], message[space+1:]
	query := url.Values{"client_id": {client}, "origin": {origin}}
	if m.browser.Get(data["origins-url"]+"?"+query.Encode()).Status != http.StatusNoContent {
		return "error" // the origin does not belong to the client, so it gets no other answer
	}
	browserState := m.browser.Cookies[data["cookie"]]
	_, salt, salted := strings.Cut(state, ".")
	if !salted || browserState == "" {
		return "error"
	}
	sum := sha256.Sum256([]byte(client + " " + origin + " " + browserState + " " + salt))
	if hex.EncodeToString(sum[:])+"."+salt == state {
		return "unchanged"
	}
	return "changed"
}

func TestModuleSessionManagementRpInitiatedLogout(t *testing.T) {
	on := func(c *provider.Config) {
		c.CheckSession = true
		c.Registration.Defaults = []byte(`{"require_pkce":false,"consent":"skip","check_session":true}`)
	}
	runVariants(t, allResponseTypes, false, on, func(m *module) {
		const origin = "https://suite.example"
		m.checkFrame()
		o := m.mustRegisterAndSignIn(nil)
		state := o.params.Get("session_state")
		if state == "" || strings.Contains(state, " ") {
			m.Fatalf("got session_state %q", state)
		}
		message := m.client.ID + " " + state
		mustAnswer := func(when, want string) {
			m.Helper()
			if got := m.frameAnswer(origin, message); got != want {
				m.Errorf("%s: got %q, want %q", when, got, want)
			}
		}
		mustAnswer("after signing in", "unchanged")
		if got := m.frameAnswer("https://elsewhere.example", message); got != "error" {
			m.Errorf("got %q for the origin of another client, want error", got)
		}
		if got := m.frameAnswer(origin, m.client.ID); got != "error" {
			m.Errorf("got %q for half a message, want error", got)
		}
		again := m.mustAuthorize().params.Get("session_state")
		if again == state || m.frameAnswer(origin, m.client.ID+" "+again) != "unchanged" {
			m.Errorf("got session_state %q twice, want a fresh salt over the same state", again)
		}
		hidden := m.browser
		m.browser = m.op.Browser()
		mustAnswer("in a browser that hides the cookie", "error")
		m.browser = hidden

		target := logoutState()
		m.mustRedirectBack(
			m.endSession("id_token_hint", o.idToken, "post_logout_redirect_uri", postLogoutURI, "state", target),
			target,
		)
		mustAnswer("after signing out", "changed")
		m.mustBeSignedOut(o)
		m.advance(3 * time.Minute)
		next := m.mustAuthorize().params.Get("session_state")
		mustAnswer("after signing in anew", "changed")
		if got := m.frameAnswer(origin, m.client.ID+" "+next); got != "unchanged" {
			m.Errorf("got %q for the new session_state, want unchanged", got)
		}
	})
}

// checkFrame checks the headers of the OP iframe: every site may frame it, and its script is a file of Curfew's.
func (m *module) checkFrame() {
	m.Helper()
	p := m.browser.Get("/check_session")
	csp := p.Header.Get("Content-Security-Policy")
	if p.Header.Get("X-Frame-Options") != "" || strings.Contains(csp, "frame-ancestors") ||
		p.Header.Get("Cross-Origin-Resource-Policy") == "same-origin" {
		m.Errorf("got %v, want a page that may be framed", p.Header)
	}
	if !strings.Contains(csp, "script-src 'self'") || strings.Contains(p.Body, "<script>") ||
		strings.Contains(p.Body, `type="module"`) {
		m.Errorf("got a script that old engines or the policy %q refuse", csp)
	}
}

// TestOnlyClientsThatAskedGetSessionState: a client gets session_state only if its record has check_session.
func TestOnlyClientsThatAskedGetSessionState(t *testing.T) {
	runOnce(t, func(c *provider.Config) { c.CheckSession = true }, func(m *module) {
		m.mustRegister(nil)
		if got := m.mustAuthorize().params.Get("session_state"); got != "" {
			m.Errorf("got session_state %q for a client that asked for none", got)
		}
		m.mustRegister(map[string]any{"check_session": true})
		m.browser = m.op.Browser()
		p := m.visit("/authorize?" + m.request().Encode())
		if got := m.callback(p).Get("session_state"); got == "" {
			m.Errorf("got no session_state for a client that asked for it")
		}
		// The script of the iframe reads the cookie inside a page of another site.
		for _, cookie := range p.Header.Values("Set-Cookie") {
			if !strings.HasPrefix(cookie, "__Host-curfew-state=") {
				continue
			}
			isThirdParty := strings.Contains(cookie, "SameSite=None") && strings.Contains(cookie, "Secure")
			if strings.Contains(cookie, "HttpOnly") || !isThirdParty {
				m.Errorf("got the cookie %q, which the frame cannot read", cookie)
			}
		}
	})
}

// TestErrorsCarryAFreshSessionState (Session Management 1.0 §2, §3.2): error responses contain session_state too, each
// with a new salt.
func TestErrorsCarryAFreshSessionState(t *testing.T) {
	runOnce(t, func(c *provider.Config) { c.CheckSession = true }, func(m *module) {
		m.mustRegister(map[string]any{"check_session": true})
		states := map[string]bool{}
		for range 3 {
			q := m.request("prompt", "none")
			params := m.authorizeSilently(q)
			m.mustFail(params, q.Get("state"), "login_required")
			states[params.Get("session_state")] = true
		}
		if len(states) != 3 || states[""] {
			m.Errorf("got session_state %v in three errors, want three different ones", states)
		}
	})
}
