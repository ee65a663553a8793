package suitetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
)

// checkScopes checks that the claims of exactly these scopes are returned: by userinfo or, without an access token, in
// the ID token (Core §5.4).
func (m *module) checkScopes(o outcome, scopes ...string) {
	m.Helper()
	claims := o.authorizationClaims
	if o.accessToken != "" {
		claims = m.mustJSON(m.userinfo(http.MethodGet, o.accessToken))
		m.checkUserClaims(claims, o)
	}
	for _, scope := range append(scopes, "openid") {
		for _, name := range scopeClaims(scope) {
			if _, given := claims[name]; !given {
				m.Errorf("got no claim %s for scope %s", name, scope)
			}
		}
	}
	for name := range claims {
		if scope := scopeOf(name); scope != "" && !slices.Contains(scopes, scope) {
			m.Errorf("got the claim %s without scope %s", name, scope)
		}
	}
}

// scopeOf returns the scope of a claim, or "" for other claims.
func scopeOf(claim string) string {
	for _, scope := range []string{"profile", "email", "address", "phone"} {
		if slices.Contains(scopeClaims(scope), claim) {
			return scope
		}
	}
	return ""
}

// checkUserClaims checks the types of userinfo claims (Core §5.1), and that sub is that of the ID tokens (§5.3.2).
func (m *module) checkUserClaims(claims map[string]any, o outcome) {
	m.Helper()
	for name, value := range claims {
		ok := false
		switch name {
		case "email_verified", "phone_number_verified":
			_, ok = value.(bool)
		case "updated_at":
			at, number := value.(float64)
			ok = number && at <= float64(time.Now().Unix()) && at > 631152000 // 1990
		case "birthdate":
			text, _ := value.(string)
			day, err := time.Parse(time.DateOnly, text)
			ok = err == nil && day.Year() >= 1850
		case "zoneinfo":
			text, _ := value.(string)
			_, err := time.LoadLocation(text)
			ok = err == nil && text != ""
		case "address":
			members, _ := value.(map[string]any)
			ok = len(members) > 0
			for _, member := range members {
				text, isText := member.(string)
				ok = ok && isText && strings.TrimSpace(text) != ""
			}
		default:
			text, isText := value.(string)
			ok = isText && strings.TrimSpace(text) != "" && !strings.EqualFold(text, "null")
		}
		if !ok {
			m.Errorf("got the claim %s as %v", name, value)
		}
	}
	for _, id := range []map[string]any{o.authorizationClaims, o.tokenClaims} {
		if id != nil && claims["sub"] != id["sub"] {
			m.Errorf("got sub %v at userinfo and %v in an ID token", claims["sub"], id["sub"])
		}
	}
}

// scopeModule runs a module that requests these scopes.
func scopeModule(t *testing.T, scopes ...string) {
	t.Helper()
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		m.checkScopes(m.mustAuthorize("scope", strings.Join(append([]string{"openid"}, scopes...), " ")), scopes...)
	})
}

func TestModuleScopeProfile(t *testing.T) { scopeModule(t, "profile") }
func TestModuleScopeEmail(t *testing.T)   { scopeModule(t, "email") }
func TestModuleScopeAddress(t *testing.T) { scopeModule(t, "address") }
func TestModuleScopePhone(t *testing.T)   { scopeModule(t, "phone") }
func TestModuleScopeAll(t *testing.T)     { scopeModule(t, "address", "email", "phone", "profile") }

func TestModuleClaimsEssential(t *testing.T) {
	runModule(t, allResponseTypes, func(m *module) {
		m.mustRegister(nil)
		place := "userinfo"
		if m.responseType == "id_token" {
			place = "id_token"
		}
		o := m.mustAuthorize("claims", `{"`+place+`":{"name":{"essential":true}}}`)
		claims := o.authorizationClaims
		if o.accessToken != "" {
			claims = m.mustJSON(m.userinfo(http.MethodGet, o.accessToken))
			m.checkUserClaims(claims, o)
		}
		if claims["name"] != "Pat Quill" {
			m.Errorf("got name %v in %s, want it there", claims["name"], place)
		}
	})
}

func TestModuleUserinfoGet(t *testing.T) {
	runModule(t, accessTokenResponseTypes, func(m *module) {
		m.mustRegister(nil)
		o := m.mustAuthorize()
		m.checkUserClaims(m.mustJSON(m.userinfo(http.MethodGet, o.accessToken)), o)
	})
}

func TestModuleUserinfoPostHeader(t *testing.T) {
	runModule(t, accessTokenResponseTypes, func(m *module) {
		m.mustRegister(nil)
		o := m.mustAuthorize()
		m.checkUserClaims(m.mustJSON(m.userinfo(http.MethodPost, o.accessToken)), o)
	})
}

func TestModuleUserinfoPostBody(t *testing.T) {
	runModule(t, accessTokenResponseTypes, func(m *module) {
		m.mustRegister(nil)
		o := m.mustAuthorize()
		p := m.send(
			http.MethodPost,
			"/userinfo",
			"application/x-www-form-urlencoded",
			url.Values{"access_token": {o.accessToken}}.Encode(),
			nil,
		)
		m.checkUserClaims(m.mustJSON(p), o)
	})
}

func TestModuleUserinfoRs256(t *testing.T) {
	runModule(t, accessTokenResponseTypes, func(m *module) {
		if known := m.supported("userinfo_signing_alg_values_supported"); !slices.Contains(known, "RS256") {
			m.Errorf("got userinfo_signing_alg_values_supported %v, want RS256 among them", known)
		}
		m.mustRegister(map[string]any{"userinfo_signed_response_alg": "RS256"})
		o := m.mustAuthorize()
		p := m.userinfo(http.MethodGet, o.accessToken)
		if p.Header.Get("Content-Type") != "application/jwt" {
			m.Errorf("got %q from userinfo, want application/jwt", p.Header.Get("Content-Type"))
		}
		header, payload := m.verify(p.Body)
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			m.Fatalf("read %s: %v", payload, err)
		}
		if header.Algorithm != "RS256" || claims["iss"] != providertest.Issuer || claims["aud"] != m.client.ID ||
			claims["nonce"] != nil {
			m.Errorf("got %s and %v, want RS256, iss and aud, and no nonce", header.Algorithm, claims)
		}
		m.checkUserClaims(claims, o)
	})
}

// TestIDTokenHintOfAnotherUserIsRefused (Core §3.1.2.2, §5.5.1): the claims parameter requests another sub.
func TestIDTokenHintOfAnotherUserIsRefused(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustRegister(nil)
		m.mustAuthorize()
		for claims, want := range map[string]string{
			`{"id_token":{"sub":{"value":"sub-pat"}}}`:                        "",
			`{"id_token":{"sub":{"values":["sub-pat"]}}}`:                     "",
			`{"id_token":{"sub":{"essential":true}}}`:                         "",
			`{"id_token":{"sub":null}}`:                                       "",
			`{"id_token":{"sub":{"value":"sub-alice"}}}`:                      "login_required",
			`{"id_token":{"sub":{"values":["sub-alice"]}}}`:                   "login_required",
			`{"id_token":{"sub":{"value":"sub-alice","values":["sub-pat"]}}}`: "login_required",
			`{"id_token":{"sub":{"values":["sub-alice","sub-bob"]}}}`:         "invalid_request",
			`{"id_token":{"sub":{"value":5}}}`:                                "invalid_request",
			`{"id_token":{"sub":{"value":""}}}`:                               "invalid_request",
			`{"id_token":{"sub":{"values":[null]}}}`:                          "invalid_request",
		} {
			if got := m.authorizeSilently(m.request("prompt", "none", "claims", claims)); got.Get("error") != want ||
				got.Has("code") != (want == "") {
				m.Errorf("%s: got %v, want error %q", claims, got, want)
			}
		}
	})
}
