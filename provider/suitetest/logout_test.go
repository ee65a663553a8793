package suitetest

import (
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

// postLogoutURI is the suite's post-logout redirect URI.
const postLogoutURI = suiteBase + "/post_logout_redirect"

// mustRegisterAndSignIn registers a client with a post-logout redirect URI and signs the user in.
func (m *module) mustRegisterAndSignIn(more map[string]any) outcome {
	m.Helper()
	registered := map[string]any{"post_logout_redirect_uris": []string{postLogoutURI}}
	for name, value := range more {
		registered[name] = value
	}
	m.mustRegister(registered)
	return m.mustAuthorize("state", longState())
}

// logoutState returns a state as the suite sends it to end_session: 50 letters, 10 digits and 30 characters of
// punctuation, without "+", space and ";".
func logoutState() string {
	const (
		letters     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		digits      = "0123456789"
		punctuation = "!\"#$%&'()*,-./:<=>?@[\\]^_`{|}~"
	)
	var state []byte
	for set, n := range map[string]int{letters: 50, digits: 10, punctuation: 30} {
		for range n {
			state = append(state, set[rand.IntN(len(set))])
		}
	}
	rand.Shuffle(len(state), func(i, j int) { state[i], state[j] = state[j], state[i] })
	return string(state)
}

// endSession visits end_session. It does not percent-encode the punctuation that the suite does not encode either.
func (m *module) endSession(params ...string) providertest.Page {
	m.Helper()
	var pairs []string
	for i := 0; i < len(params); i += 2 {
		value := url.QueryEscape(params[i+1])
		for _, raw := range "!$'()*,-./:?@_~" {
			value = strings.ReplaceAll(value, url.QueryEscape(string(raw)), string(raw))
		}
		pairs = append(pairs, params[i]+"="+value)
	}
	return m.browser.Get("/end_session?" + strings.Join(pairs, "&"))
}

// mustRedirectBack checks that a logout leads to the suite with this state and no other parameter: by a redirect, or by
// the page that waits for the clients.
func (m *module) mustRedirectBack(p providertest.Page, state string) {
	m.Helper()
	location := p.Header.Get("Location")
	if p.Status == http.StatusOK {
		_, rest, _ := strings.Cut(p.Body, `data-continue-url="`)
		location, _, _ = strings.Cut(rest, `"`)
		location = html.UnescapeString(location)
		if !strings.Contains(p.Body, `<noscript><meta http-equiv="refresh"`) ||
			!strings.Contains(p.Body, `id="continue"`) {
			m.Errorf("got a page that goes on by script only")
		}
	}
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, postLogoutURI) {
		m.Fatalf("got %d to %q, want the post-logout redirect:\n%s", p.Status, location, p.Body)
	}
	want := url.Values{}
	if state != "" {
		want.Set("state", state)
	}
	if got := u.Query(); got.Encode() != want.Encode() || u.Fragment != "" {
		m.Errorf("got %q, want state %q and nothing else", location, state)
	}
}

// mustBeSignedOut checks that the session has ended: prompt=none fails, and the access token is revoked.
func (m *module) mustBeSignedOut(o outcome) {
	m.Helper()
	m.mustNotBeSignedIn()
	if o.accessToken != "" {
		if p := m.userinfo(http.MethodGet, o.accessToken); p.Status != http.StatusUnauthorized {
			m.Errorf("got %d from userinfo after the logout, want 401", p.Status)
		}
	}
}

func TestModuleRpInitiatedLogout(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		var o outcome
		for range 4 { // each with other random punctuation in the state
			o = m.mustRegisterAndSignIn(nil)
			state := logoutState()
			m.mustRedirectBack(
				m.endSession("id_token_hint", o.idToken, "post_logout_redirect_uri", postLogoutURI, "state", state),
				state,
			)
		}
		m.mustBeSignedOut(o)
	})
}

func TestModuleRpInitiatedLogoutNoState(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustRedirectBack(m.endSession("id_token_hint", o.idToken, "post_logout_redirect_uri", postLogoutURI), "")
		m.mustBeSignedOut(o)
	})
}

// mustConfirmFirst checks that the page asks for a confirmation and names the problem, if there is one. The session
// ends only after the confirmation. No page leads to the suite.
func (m *module) mustConfirmFirst(o outcome, p providertest.Page, problem string) {
	m.Helper()
	if !strings.Contains(p.Body, `id="sign-out"`) || strings.Contains(p.Body, postLogoutURI) ||
		p.Header.Get("Location") != "" {
		m.Fatalf("got %d to %q, want a question that leads nowhere:\n%s", p.Status, p.Header.Get("Location"), p.Body)
	}
	_, description, hasProblem := strings.Cut(p.Body, `id="error-description">`)
	description, _, _ = strings.Cut(description, "<")
	wantStatus := http.StatusOK
	if problem != "" {
		wantStatus = http.StatusBadRequest
	}
	if hasProblem != (problem != "") || !strings.Contains(description, problem) || p.Status != wantStatus {
		m.Errorf("got %d %q, want the problem %q", p.Status, description, problem)
	}
	m.mustStaySignedIn(o, "prompt", "none")
	m.mustShowSignedOut(m.browser.Submit(p, "scope", "session"))
	m.mustBeSignedOut(o)
}

// mustShowSignedOut checks that the page says that the user is signed out and does not redirect to the suite.
func (m *module) mustShowSignedOut(p providertest.Page) {
	m.Helper()
	if p.Status != http.StatusOK || !strings.Contains(p.Body, `id="signed-out"`) ||
		!strings.Contains(p.Body, "signed out") ||
		p.Attribute("data-continue-url") != "" ||
		strings.Contains(p.Body, "; url="+postLogoutURI) {
		m.Fatalf("got %d to %q, want the signed-out page:\n%s", p.Status, p.Header.Get("Location"), p.Body)
	}
}

func TestModuleRpInitiatedLogoutNoPostLogoutRedirectUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustShowSignedOut(m.endSession("id_token_hint", o.idToken, "state", logoutState()))
		m.mustBeSignedOut(o)
	})
}

func TestModuleRpInitiatedLogoutNoIdTokenHint(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustConfirmFirst(o, m.endSession("post_logout_redirect_uri", postLogoutURI, "state", logoutState()), "")
	})
}

func TestModuleRpInitiatedLogoutNoParams(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustConfirmFirst(o, m.endSession(), "")
	})
}

func TestModuleRpInitiatedLogoutOnlyState(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustConfirmFirst(o, m.endSession("state", logoutState()), "")
	})
}

func TestModuleRpInitiatedLogoutBadPostLogoutRedirectUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustConfirmFirst(
			o,
			m.endSession(
				"id_token_hint",
				o.idToken,
				"post_logout_redirect_uri",
				postLogoutURI+randomText(10),
				"state",
				logoutState(),
			),
			"post_logout_redirect_uri",
		)
	})
}

func TestModuleRpInitiatedLogoutQueryAddedToPostLogoutRedirectUri(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		m.mustConfirmFirst(
			o,
			m.endSession(
				"id_token_hint",
				o.idToken,
				"post_logout_redirect_uri",
				postLogoutURI+"?foo=bar",
				"state",
				logoutState(),
			),
			"post_logout_redirect_uri",
		)
	})
}

func TestModuleRpInitiatedLogoutModifiedIdTokenHint(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		parts := strings.Split(o.idToken, ".")
		none := "eyJhbGciOiAibm9uZSJ9." + parts[1] + "." // {"alg": "none"}
		m.mustConfirmFirst(
			o,
			m.endSession("id_token_hint", none, "post_logout_redirect_uri", postLogoutURI, "state", logoutState()),
			"id_token_hint",
		)
	})
}

func TestModuleRpInitiatedLogoutBadIdTokenHint(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		o := m.mustRegisterAndSignIn(nil)
		now := time.Now()
		fake := map[string]any{
			"iss":   m.client.ID,
			"sub":   "SubjectID",
			"aud":   providertest.Issuer,
			"nonce": "flibble",
			"iat":   now.Unix(),
			"exp":   now.Add(5 * time.Minute).Unix(),
		}
		real := providertest.MustReadClaims(m, o.idToken)
		for _, hint := range []string{
			m.sign(jose.RS256, m.client.key, real),
			m.sign(jose.HS256, []byte(m.client.Secret), real),
			m.sign(jose.HS256, []byte(m.client.Secret), fake),
		} {
			p := m.endSession("id_token_hint", hint, "post_logout_redirect_uri", postLogoutURI, "state", logoutState())
			if p.Status != http.StatusBadRequest || strings.Contains(p.Body, postLogoutURI) {
				m.Errorf("got %d for a hint that Curfew has not signed", p.Status)
			}
		}
		m.mustConfirmFirst(
			o,
			m.endSession(
				"id_token_hint",
				m.sign(jose.RS256, m.client.key, fake),
				"post_logout_redirect_uri",
				postLogoutURI,
				"state",
				logoutState(),
			),
			"id_token_hint",
		)
	})
}
