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

// postLogoutURI is where the suite wants to be after a logout.
const postLogoutURI = suiteBase + "/post_logout_redirect"

// mustJoin registers a client with a post-logout redirect URI, and signs in.
func (m *module) mustJoin(more map[string]any) outcome {
	m.Helper()
	registered := map[string]any{"post_logout_redirect_uris": []string{postLogoutURI}}
	for name, value := range more {
		registered[name] = value
	}
	m.mustRegister(registered)
	return m.mustAuthorize("state", longState())
}

// logoutState is the state that the suite sends to end_session: 50 letters, 10 digits, 30 characters of punctuation,
// without "+", space and ";".
func logoutState() string {
	const letters, digits, punctuation = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0123456789", "!\"#$%&'()*,-./:<=>?@[\\]^_`{|}~"
	var b []byte
	for set, n := range map[string]int{letters: 50, digits: 10, punctuation: 30} {
		for range n {
			b = append(b, set[rand.IntN(len(set))])
		}
	}
	rand.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
	return string(b)
}

// endSession visits end_session as the suite builds its URL: with the punctuation that a query may have left as it is.
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

// mustRedirectBack wants a logout to have led to the suite, at once or by the page that waits for the clients, with
// that state and nothing else.
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

// mustBeSignedOut wants the session to be gone: prompt=none fails, and so does everything that was given because of it.
func (m *module) mustBeSignedOut(o outcome) {
	m.Helper()
	m.mustNotBeSignedIn()
	if o.access != "" {
		if p := m.userinfo(http.MethodGet, o.access); p.Status != http.StatusUnauthorized {
			m.Errorf("got %d from userinfo after the logout, want 401", p.Status)
		}
	}
}

func TestModuleRpInitiatedLogout(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		var o outcome
		for range 4 { // with many states: one of another provider's hung on a brace
			o = m.mustJoin(nil)
			state := logoutState()
			m.mustRedirectBack(
				m.endSession("id_token_hint", o.hint, "post_logout_redirect_uri", postLogoutURI, "state", state),
				state,
			)
		}
		m.mustBeSignedOut(o)
	})
}

func TestModuleRpInitiatedLogoutNoState(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustRedirectBack(m.endSession("id_token_hint", o.hint, "post_logout_redirect_uri", postLogoutURI), "")
		m.mustBeSignedOut(o)
	})
}

// mustConfirmFirst wants a page that asks, leads nowhere, and ends nothing until the user says so; then the session
// is over, and still nothing leads to the suite. problem, if there is one, is named.
func (m *module) mustConfirmFirst(o outcome, p providertest.Page, problem string) {
	m.Helper()
	if !strings.Contains(p.Body, `id="sign-out"`) || strings.Contains(p.Body, postLogoutURI) ||
		p.Header.Get("Location") != "" {
		m.Fatalf("got %d to %q, want a question that leads nowhere:\n%s", p.Status, p.Header.Get("Location"), p.Body)
	}
	_, description, named := strings.Cut(p.Body, `id="error-description">`)
	description, _, _ = strings.Cut(description, "<")
	if named != (problem != "") || !strings.Contains(description, problem) ||
		problem != "" && p.Status != http.StatusBadRequest {
		m.Errorf("got %d %q, want the problem %q", p.Status, description, problem)
	}
	m.mustStaySignedIn(o, "prompt", "none")
	m.mustShowSignedOut(m.browser.Submit(p, "scope", "session"))
	m.mustBeSignedOut(o)
}

// mustShowSignedOut wants the page that says that the user is signed out, and that does not go to the suite by itself.
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
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustShowSignedOut(m.endSession("id_token_hint", o.hint, "state", logoutState()))
		m.mustBeSignedOut(o)
	})
}

func TestModuleRpInitiatedLogoutNoIdTokenHint(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustConfirmFirst(o, m.endSession("post_logout_redirect_uri", postLogoutURI, "state", logoutState()), "")
	})
}

func TestModuleRpInitiatedLogoutNoParams(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustConfirmFirst(o, m.endSession(), "")
	})
}

func TestModuleRpInitiatedLogoutOnlyState(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustConfirmFirst(o, m.endSession("state", logoutState()), "")
	})
}

func TestModuleRpInitiatedLogoutBadPostLogoutRedirectUri(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustConfirmFirst(
			o,
			m.endSession(
				"id_token_hint",
				o.hint,
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
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		m.mustConfirmFirst(
			o,
			m.endSession(
				"id_token_hint",
				o.hint,
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
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		parts := strings.Split(o.hint, ".")
		none := "eyJhbGciOiAibm9uZSJ9." + parts[1] + "." // {"alg": "none"}
		m.mustConfirmFirst(
			o,
			m.endSession("id_token_hint", none, "post_logout_redirect_uri", postLogoutURI, "state", logoutState()),
			"id_token_hint",
		)
	})
}

func TestModuleRpInitiatedLogoutBadIdTokenHint(t *testing.T) {
	runModule(t, everyType, func(m *module) {
		o := m.mustJoin(nil)
		now := time.Now()
		fake := map[string]any{
			"iss":   m.client.ID,
			"sub":   "SubjectID",
			"aud":   providertest.Issuer,
			"nonce": "flibble",
			"iat":   now.Unix(),
			"exp":   now.Add(5 * time.Minute).Unix(),
		}
		real := providertest.MustReadClaims(m, o.hint)
		for _, hint := range []string{
			m.sign(jose.RS256, m.client.key, real),
			m.sign(jose.HS256, []byte(m.client.Secret), real),
			m.sign(jose.HS256, []byte(m.client.Secret), fake),
		} {
			p := m.endSession("id_token_hint", hint, "post_logout_redirect_uri", postLogoutURI, "state", logoutState())
			if p.Status != http.StatusBadRequest || strings.Contains(p.Body, postLogoutURI) {
				m.Errorf("got %d for a hint that we have not signed", p.Status)
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
