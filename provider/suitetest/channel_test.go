package suitetest

import (
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/providertest"
)

var framePattern = regexp.MustCompile(`<iframe src="([^"]*)"`)

func TestModuleFrontchannelRpInitiatedLogout(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(
			map[string]any{
				"frontchannel_logout_uri":              suiteBase + "/frontchannel_logout",
				"frontchannel_logout_session_required": true,
			},
		)
		state := logoutState()
		p := m.endSession("id_token_hint", o.idToken, "post_logout_redirect_uri", postLogoutURI, "state", state)
		frames := framePattern.FindAllStringSubmatch(p.Body, -1)
		if p.Status != http.StatusOK || len(frames) != 1 {
			m.Fatalf("got %d with %d frames, want a page with one:\n%s", p.Status, len(frames), p.Body)
		}
		u, err := url.Parse(html.UnescapeString(frames[0][1]))
		if err != nil || !strings.HasPrefix(u.String(), suiteBase+"/frontchannel_logout?") {
			m.Fatalf("got a frame to %q", frames[0][1])
		}
		sid, _ := o.claims()["sid"].(string)
		want := url.Values{"iss": {providertest.Issuer}, "sid": {sid}}.Encode()
		if got := u.Query().Encode(); got != want || sid == "" {
			m.Errorf("got %s, want %s and nothing else", got, want)
		}
		if csp := p.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-src https://suite.example;") {
			m.Errorf("got policy %q, want the frame's origin in frame-src", csp)
		}
		m.mustRedirectBack(p, state)
		m.mustBeSignedOut(o)
	})
}

func TestModuleBackchannelRpInitiatedLogout(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(
			map[string]any{
				"backchannel_logout_uri":              suiteBase + "/backchannel_logout",
				"backchannel_logout_session_required": true,
			},
		)
		// When the logout token arrives, the suite checks at once that the session has ended.
		during := *m
		during.browser = m.op.Browser()
		maps.Copy(during.browser.Cookies, m.browser.Cookies)
		m.web.Forget()
		m.web.Answer(func(string, url.Values) (egress.Response, error) {
			during.mustBeSignedOut(o)
			return egress.Response{Status: http.StatusOK}, nil
		})

		state := logoutState()
		p := m.endSession("id_token_hint", o.idToken, "post_logout_redirect_uri", postLogoutURI, "state", state)
		m.mustRedirectBack(p, state)
		m.mustBeSignedOut(o)
		m.advance(20 * time.Second)
		synctest.Wait()
		posts := m.web.Sent()
		if len(posts) != 1 || posts[0].URI != suiteBase+"/backchannel_logout" || len(posts[0].Form) != 1 {
			m.Fatalf("got %+v, want one logout token and nothing beside it", posts)
		}
		m.checkLogoutToken(posts[0].Form.Get("logout_token"), o)
		m.advance(time.Minute) // the client joined just before the end, so Curfew notifies it again now
	})
}

// checkLogoutToken checks a logout token (Back-Channel Logout 1.0 §2.4).
func (m *module) checkLogoutToken(text string, o outcome) {
	m.Helper()
	header, payload := m.verify(text)
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		m.Fatalf("read %s: %v", payload, err)
	}
	iat, _ := c["iat"].(float64)
	exp, _ := c["exp"].(float64)
	now := float64(time.Now().Unix())
	switch {
	case header.Algorithm != "RS256" || header.ExtraHeaders["typ"] != "logout+jwt":
		m.Errorf("got header %+v", header)
	case c["iss"] != providertest.Issuer || c["aud"] != m.client.ID || c["jti"] == nil || c["nonce"] != nil:
		m.Errorf("got claims %v", c)
	case iat > now || iat < now-60 || exp <= iat || exp > iat+120:
		m.Errorf("got iat %v and exp %v at %v", iat, exp, now)
	case c["sub"] != o.claims()["sub"] || c["sid"] != o.claims()["sid"] || c["sid"] == nil:
		m.Errorf("got sub %v and sid %v, want those of the ID token", c["sub"], c["sid"])
	}
	events, _ := c["events"].(map[string]any)
	event, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	if len(events) != 1 || !ok || len(event) != 0 {
		m.Errorf("got events %v", c["events"])
	}
}
