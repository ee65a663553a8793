package provider_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/pquerna/otp/totp"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// scenario is what can be presented once more after an ending, all of alice's: her session on the laptop is the one
// that ends.
type scenario struct {
	*providertest.Fixture
	t         testing.TB
	laptop    *providertest.Browser // the session that ends
	phone     *providertest.Browser // another of hers, which may do the ending
	oldLaptop *providertest.Browser // the laptop's cookies as they were before

	opaqueTokens, jwtTokens, offlineTokens grantedTokens // atlas, in the laptop's session: opaque, JWT, offline access
	offlineAccessToken                     string        // an access token that offline access gave by itself
	ledgerToken                            string        // ledger's access token, of the same session
	code                                   string        // not redeemed yet
	login, consent                         string        // pages that were open
	confirm                                url.Values
	reset, enrol                           string
	enrolling                              *providertest.Browser // opened the enrolment link
	password                               string                // alice's, after the cause
}

// grantedTokens is what a client got, and the code for it.
type grantedTokens struct {
	providertest.TokenResponse
	code string
}

// signInOptions says how alice signs in on the laptop.
type signInOptions struct {
	remember        bool
	upstream        bool // with an account of another provider
	upstreamExpires bool // the ID tokens of that provider have session_expiry
}

// The columns of artifacts that have a run of their own.
const (
	rememberedCookie = 1
	upstreamCookie   = 2
)

// mustSetUpScenario signs alice in on two browsers and takes one of everything.
func mustSetUpScenario(t testing.TB, options signInOptions, configure func(*provider.Config)) *scenario {
	t.Helper()
	o := providertest.MustStart(t, func(c *provider.Config) {
		c.Upstreams = []policy.Upstream{upstreamSettings()}
		if configure != nil {
			configure(c)
		}
	})
	mustServeUpstream(t, o, options.upstreamExpires)
	h := &scenario{Fixture: o, t: t, laptop: o.Browser(), phone: o.Browser(), password: providertest.Password}
	for _, id := range []string{"atlas", "ledger", "wiki"} {
		o.MustAddClient(id, func(m *storage.Metadata) {
			if id == "atlas" {
				m.Consent = ""
			}
		})
	}
	h.phone.MustJoin("alice", "wiki")

	p := h.laptop.Get(providertest.AuthorizeURL("atlas"))
	form := []string{"username", "alice", "password", providertest.Password}
	if options.remember {
		form = append(form, "keep", "on")
	}
	if options.upstream {
		p = mustSignInAtUpstream(h.laptop, p, upstreamLaptop)
	} else {
		p = h.laptop.Submit(p, form...)
	}
	p = h.laptop.Submit(p, "decision", "allow")
	h.opaqueTokens = h.mustRedeem("atlas", p.ResponseParams(t).Get("code"))
	h.setTokenFormat("jwt")
	h.jwtTokens = h.mustRedeem("atlas", h.laptop.MustSignIn("alice", "atlas").Get("code"))
	h.setTokenFormat("")
	h.offlineTokens = h.mustRedeem(
		"atlas",
		h.laptop.MustSignIn("alice", "atlas", "scope", "openid offline_access", "prompt", "consent").Get("code"),
	)
	renewed := o.Token(
		"atlas",
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.offlineTokens.RefreshToken}},
	)
	h.offlineTokens.RefreshToken, h.offlineAccessToken = renewed.RefreshToken, renewed.AccessToken
	h.ledgerToken = h.laptop.MustJoin("alice", "ledger").AccessToken

	time.Sleep(time.Second) // prompt=login wants an authentication after the request
	h.login = h.laptop.Do(
		http.MethodGet,
		providertest.AuthorizeURL("atlas", "prompt", "login"),
		nil,
		nil,
	).Header.Get(
		"Location",
	)
	h.consent = h.laptop.Do(
		http.MethodGet,
		providertest.AuthorizeURL("atlas", "prompt", "consent"),
		nil,
		nil,
	).Header.Get(
		"Location",
	)
	_, h.confirm = h.laptop.Get("/end_session").Form(t)
	h.code = h.laptop.MustSignIn("alice", "atlas").Get("code")
	h.reset = h.MustMakeResetLink("alice")
	h.enrol = h.mustMakeEnrolLink()
	h.oldLaptop = h.laptop.Copy()
	for name, missing := range map[string]bool{
		"tokens":       h.opaqueTokens.RefreshToken == "" || renewed.RefreshToken == "" || !strings.Contains(h.jwtTokens.AccessToken, "."),
		"login page":   !strings.HasPrefix(h.login, "/login/"),
		"consent page": !strings.HasPrefix(h.consent, "/consent/"),
		"code":         h.code == "",
	} {
		if missing {
			t.Fatalf("got no %s to present", name)
		}
	}
	return h
}

// mustMakeEnrolLink makes an enrolment link for alice and returns its path.
func (h *scenario) mustMakeEnrolLink() string {
	h.t.Helper()
	var link struct {
		URL string `json:"url"`
	}
	p := h.MustAdmin(http.MethodPost, "/users/alice/enrol-link", "{}")
	if err := json.Unmarshal([]byte(p.Body), &link); err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimPrefix(link.URL, providertest.Issuer)
}

// mustOpenEnrolLink opens the enrolment link, gives the password and returns the page that sets up an app.
func (h *scenario) mustOpenEnrolLink() providertest.Page {
	h.t.Helper()
	h.enrolling = h.Browser()
	return h.enrolling.Submit(h.enrolling.Get(h.enrol), "password", h.password)
}

var secretOnPage = regexp.MustCompile(`id="secret"><code>([^<]*)</code>`)

// mustReadCode returns the code of the app that the page sets up.
func (h *scenario) mustReadCode(p providertest.Page) string {
	h.t.Helper()
	match := secretOnPage.FindStringSubmatch(p.Body)
	if match == nil {
		h.t.Fatalf("got %d without a secret:\n%s", p.Status, p.Body)
	}
	code, err := totp.GenerateCode(strings.ReplaceAll(html.UnescapeString(match[1]), " ", ""), time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

func (h *scenario) mustRedeem(client, code string) grantedTokens {
	h.t.Helper()
	a := h.Redeem(client, code)
	if a.Error != "" || a.AccessToken == "" {
		h.t.Fatalf("got %+v for the code, want tokens", a)
	}
	return grantedTokens{a, code}
}

// setTokenFormat sets the format of atlas's access tokens from now on.
func (h *scenario) setTokenFormat(format string) {
	h.t.Helper()
	stored, err := h.Store.Client(h.t.Context(), "atlas")
	if err != nil {
		h.t.Fatal(err)
	}
	c := *stored
	c.AccessTokenFormat = format
	if err := h.Store.PutClient(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
}

// artifacts are all kinds of things that are derived from a session or could bring one about, in the order of the
// table's columns, each with what presents it at every endpoint that takes it and reports whether it still counts.
var artifacts = []struct {
	name    string
	present func(*scenario) bool
}{
	{"session cookie", func(h *scenario) bool { return h.sessionActive(h.oldLaptop) }},
	{"remembered session cookie", nil},                     // with "keep me signed in"; in a run of its own
	{"session cookie, signed in by another provider", nil}, // in a run of its own
	{"consent page left open", func(h *scenario) bool {
		action, fields := "", url.Values{}
		b := h.oldLaptop.Copy()
		if p := b.Get(h.consent); strings.Contains(p.Body, `id="allow"`) {
			action, fields = p.Form(h.t)
		}
		fields.Set("decision", "allow")
		if action == "" {
			action = h.consent // a client that posts without reading the page
		}
		return h.yieldsTokens(b.Post(action, fields))
	}},
	{"sign-in page left open", func(h *scenario) bool {
		// Where it works, the session has a new secret from then on.
		return h.yieldsTokens(h.oldLaptop.Post(h.login, url.Values{"username": {"alice"}, "password": {h.password}}))
	}},
	{"code", func(h *scenario) bool { return h.Redeem("atlas", h.code).AccessToken != "" }},
	{"opaque access token", func(h *scenario) bool { return h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) }},
	{"JWT access token, here", func(h *scenario) bool { return h.accessTokenActive("atlas", h.jwtTokens.AccessToken) }},
	{"JWT access token, elsewhere", func(h *scenario) bool { return h.verifiesLocally(h.jwtTokens.AccessToken) }},
	{
		"refresh token of the session",
		func(h *scenario) bool { return h.refreshTokenActive("atlas", h.opaqueTokens.RefreshToken) },
	},
	{
		"background access: refresh token",
		func(h *scenario) bool { return h.refreshTokenActive("atlas", h.offlineTokens.RefreshToken) },
	},
	{
		"background access: access token",
		func(h *scenario) bool { return h.accessTokenActive("atlas", h.offlineAccessToken) },
	},
	{"tokens of other apps", func(h *scenario) bool { return h.accessTokenActive("ledger", h.ledgerToken) }},
	{"other sessions of the user", func(h *scenario) bool { return h.sessionActive(h.phone) }},
	{"sign-out page left open", func(h *scenario) bool {
		h.confirm.Set("scope", "session")
		return strings.Contains(h.oldLaptop.Copy().Post("/end_session/confirm", h.confirm).Body, "In this browser, at")
	}},
	{"enrolment link", func(h *scenario) bool {
		b := h.Browser()
		p := b.Get(h.enrol)
		if p.Status != http.StatusOK {
			return false
		}
		return b.Submit(p, "password", h.password).Status == http.StatusOK
	}},
	{"reset link", func(h *scenario) bool {
		b := h.Browser()
		p := b.Get(h.reset)
		if p.Status != http.StatusOK {
			return false
		}
		return b.Submit(
			p,
			"new-password",
			"a new long password",
			"repeat-password",
			"a new long password",
		).Status == http.StatusOK
	}},
	{"linked account of another provider", func(h *scenario) bool { // it signs in anew
		b := h.Browser()
		p := mustSignInAtUpstream(b, b.Get(providertest.AuthorizeURL("wiki")), "another session")
		return strings.Contains(p.Header.Get("Location"), "code=")
	}},
}

// yieldsTokens reports whether a page led to the client with a code that is good.
func (h *scenario) yieldsTokens(p providertest.Page) bool {
	u, err := url.Parse(p.Header.Get("Location"))
	return err == nil && u.Query().Get("code") != "" && h.Redeem("atlas", u.Query().Get("code")).AccessToken != ""
}

// sessionActive reports whether a browser's session counts: for single sign-on, on the account pages, for their
// script and at end_session. They must agree.
func (h *scenario) sessionActive(b *providertest.Browser) bool {
	h.t.Helper()
	b = b.Copy()
	silent := b.MustPromptNone("wiki").Get("code") != ""
	for what, lives := range map[string]bool{
		"/account":         strings.Contains(b.Copy().Get("/account").Body, "Your devices"),
		"/account/probe":   b.Copy().Get("/account/probe").Status == http.StatusNoContent,
		"/end_session":     strings.Contains(b.Copy().Get("/end_session").Body, `id="sign-out"`),
		"/account/reports": b.Copy().Get("/account/reports/x/status.json").Status != http.StatusUnauthorized,
	} {
		if lives != silent {
			h.t.Errorf("got the session alive at %s: %v, but for single sign-on: %v", what, lives, silent)
		}
	}
	return silent
}

// accessTokenActive reports whether an access token counts at userinfo and introspection, which must agree.
func (h *scenario) accessTokenActive(client, token string) bool {
	h.t.Helper()
	info := h.Browser().
		Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}}).
		Status == http.StatusOK
	post := h.Browser().
		Do(http.MethodPost, "/userinfo", url.Values{"access_token": {token}}, nil).
		Status == http.StatusOK
	known := h.introspectionActive(client, token)
	if info != known || post != known {
		h.t.Errorf(
			"got an access token alive at userinfo: %v (GET), %v (POST), at introspection: %v",
			info,
			post,
			known,
		)
	}
	return known
}

// introspectionActive is active for a client that may be gone: then wiki asks, to which the token is nothing in any
// case.
func (h *scenario) introspectionActive(client, token string) bool {
	var a struct {
		Active bool `json:"active"`
	}
	p := h.Call(client, "/introspect", url.Values{"token": {token}})
	return p.Status == http.StatusOK && json.Unmarshal([]byte(p.Body), &a) == nil && a.Active
}

func (h *scenario) refreshTokenActive(client, token string) bool {
	h.t.Helper()
	known := h.introspectionActive(client, token)
	good := h.Token(client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}).AccessToken != ""
	if good != known {
		h.t.Errorf("got a refresh token alive at the token endpoint: %v, at introspection: %v", good, known)
	}
	return good
}

// verifiesLocally is a resource server that checks signature and expiry by itself and asks nobody.
func (h *scenario) verifiesLocally(token string) bool {
	h.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(h.Browser().Get("/jwks").Body), &set); err != nil {
		h.t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		h.t.Fatal(err)
	}
	var c jwt.Claims
	if err := parsed.Claims(set.Key(parsed.Headers[0].KeyID)[0].Key, &c); err != nil {
		return false
	}
	return c.ValidateWithLeeway(jwt.Expected{Issuer: providertest.Issuer, Time: time.Now()}, 0) == nil
}
