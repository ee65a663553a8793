package suitetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

// outcome is the result of a successful authorization request.
type outcome struct {
	params              url.Values     // of the authorization response
	authorizationClaims map[string]any // claims of the ID token in it; nil: it has none
	tokenClaims         map[string]any // claims of the ID token from the token endpoint
	idToken             string         // an ID token
	accessToken         string         // an access token
	grant               grant
}

// claims returns the claims of the last ID token.
func (o outcome) claims() map[string]any {
	if o.tokenClaims != nil {
		return o.tokenClaims
	}
	return o.authorizationClaims
}

// mustAuthorize makes an authorization request, signs in if asked, and redeems the code. more overrides parameters.
func (m *module) mustAuthorize(more ...string) outcome {
	m.Helper()
	q := m.request(more...)
	return m.mustComplete(m.visit("/authorize?"+q.Encode()), q)
}

// mustComplete checks a successful response: its parameters, its tokens, and that userinfo accepts the access token.
// redeem adds parameters to the token request.
func (m *module) mustComplete(p providertest.Page, q url.Values, redeem ...string) outcome {
	m.Helper()
	o := outcome{params: m.callback(p)}
	if o.params.Get("error") != "" {
		m.Fatalf("got %v, want success", o.params)
	}
	m.mustMatchRequest(o.params, q.Get("state"))
	for value, name := range map[string]string{"code": "code", "token": "access_token", "id_token": "id_token"} {
		if got := o.params.Has(name); got != m.includes(value) {
			m.Errorf("got %s given: %v, want %v", name, got, m.includes(value))
		}
	}
	code := o.params.Get("code")
	if m.includes("token") {
		o.accessToken = o.params.Get("access_token")
		if o.params.Get("token_type") != "Bearer" || o.params.Get("expires_in") == "" {
			m.Errorf(
				"got token_type %q and expires_in %q beside an access token (Core §3.2.2.5)",
				o.params.Get("token_type"),
				o.params.Get("expires_in"),
			)
		}
	}
	if m.includes("id_token") {
		o.idToken = o.params.Get("id_token")
		o.authorizationClaims = m.checkIDToken(o.idToken, q)
		m.checkHash(o.authorizationClaims, "at_hash", o.accessToken, true)
		m.checkHash(o.authorizationClaims, "c_hash", code, true)
	}
	if m.includes("code") {
		m.checkEntropy(code)
		o.grant = m.redeem(m.client, code, redeem...)
		if o.grant.Status != http.StatusOK {
			m.Fatalf("got %+v for a code, want tokens", o.grant)
		}
		if o.accessToken != "" {
			m.mustBeActive(o.accessToken)
		}
		o.accessToken, o.idToken = o.grant.AccessToken, o.grant.IDToken
		o.tokenClaims = m.checkIDToken(o.idToken, q)
		m.checkHash(o.tokenClaims, "at_hash", o.accessToken, false)
		m.checkHash(o.tokenClaims, "c_hash", code, false)
		for _, name := range []string{"iss", "sub"} { // Core §3.3.3.6
			first, second := o.authorizationClaims[name], o.tokenClaims[name]
			if o.authorizationClaims != nil && first != second {
				m.Errorf("got %s %v and %v from the two endpoints", name, first, second)
			}
		}
	}
	if o.accessToken != "" {
		m.mustBeActive(o.accessToken)
	}
	return o
}

// mustBeActive checks that userinfo accepts the access token.
func (m *module) mustBeActive(access string) {
	m.Helper()
	if p := m.userinfo(http.MethodGet, access); p.Status != http.StatusOK ||
		p.Header.Get("Cache-Control") != "no-store" {
		m.Errorf(
			"got %d with Cache-Control %q from userinfo, want 200 and no-store",
			p.Status,
			p.Header.Get("Cache-Control"),
		)
	}
}

// userinfo calls the UserInfo endpoint with the access token in the header (RFC 6750 §2.1).
func (m *module) userinfo(method, access string) providertest.Page {
	return m.send(method, "/userinfo", "", "", http.Header{"Authorization": {"Bearer " + access}})
}

// keys returns the OP's public keys.
func (m *module) keys() jose.JSONWebKeySet {
	m.Helper()
	p := m.send(http.MethodGet, "/jwks", "", "", nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(p.Body), &set); err != nil || p.Status != http.StatusOK || len(set.Keys) == 0 {
		m.Fatalf("got %d %s, want a JWK Set", p.Status, p.Body)
	}
	return set
}

// verify verifies a signature with the key that its header names. It returns header and payload.
func (m *module) verify(text string) (jose.Header, []byte) {
	m.Helper()
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		m.Fatalf("read %q: %v", text, err)
	}
	header := jws.Signatures[0].Header
	keys := m.keys()
	found := keys.Key(header.KeyID)
	if header.KeyID == "" || len(found) != 1 {
		m.Fatalf("got kid %q, which %d keys have (Core §10.1)", header.KeyID, len(found))
	}
	payload, err := jws.Verify(found[0])
	if err != nil {
		m.Fatalf("verify %q: %v", text, err)
	}
	return header, payload
}

// alwaysAllowedClaims are the claims that an ID token may have without a request for them.
var alwaysAllowedClaims = []string{
	"iss",
	"sub",
	"aud",
	"exp",
	"iat",
	"auth_time",
	"nonce",
	"acr",
	"amr",
	"azp",
	"at_hash",
	"c_hash",
	"s_hash",
	"nbf",
	"jti",
	"sid",
	"txn",
}

// checkIDToken checks an ID token by Core §2 and §3.1.3.7, and that it contains no claims about the user that were not
// requested (§5.4).
func (m *module) checkIDToken(text string, q url.Values) map[string]any {
	m.Helper()
	header, payload := m.verify(text)
	if header.Algorithm != string(jose.RS256) {
		m.Errorf("got an ID token signed by %s, want the default RS256", header.Algorithm)
	}
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		m.Fatalf("read claims %s: %v", payload, err)
	}
	now := float64(time.Now().Unix())
	exp, _ := c["exp"].(float64)
	iat, _ := c["iat"].(float64)
	authTime, _ := c["auth_time"].(float64)
	subject, _ := c["sub"].(string)
	acr, _ := c["acr"].(string)
	switch {
	case c["iss"] != providertest.Issuer, c["aud"] != m.client.ID, subject == "" || len(subject) > 255:
		m.Errorf("got iss %v, aud %v and sub %v", c["iss"], c["aud"], c["sub"])
	case exp <= now || exp > now+3600, iat != now, authTime == 0 || authTime > now, acr == "":
		m.Errorf("got exp %v, iat %v, auth_time %v and acr %q at %v", exp, iat, authTime, acr, now)
	case q.Get("nonce") != "" && c["nonce"] != q.Get("nonce"), q.Get("nonce") == "" && c["nonce"] != nil:
		m.Errorf("got nonce %v, want %q", c["nonce"], q.Get("nonce"))
	}
	allowed := slices.Clone(alwaysAllowedClaims)
	if m.responseType == "id_token" { // without an access token, the ID token contains the claims of the scope
		for _, scope := range strings.Fields(q.Get("scope")) {
			allowed = append(allowed, scopeClaims(scope)...)
		}
		if q.Has("claims") {
			allowed = append(allowed, "name") // the one that the suite asks for
		}
	}
	for name := range c {
		if !slices.Contains(allowed, name) {
			m.Errorf("got the claim %s in the ID token, which was not requested", name)
		}
	}
	return c
}

// checkHash checks at_hash or c_hash (Core §3.3.2.11) for RS256. At the token endpoint they are optional.
func (m *module) checkHash(claims map[string]any, name, value string, required bool) {
	m.Helper()
	if value == "" && required {
		if claims[name] != nil {
			m.Errorf("got %s of nothing", name)
		}
		return
	}
	got := claims[name]
	if got == nil && !required {
		return
	}
	sum := sha256.Sum256([]byte(value))
	if want := base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2]); got != want {
		m.Errorf("got %s %v, want %s", name, got, want)
	}
}

// minEntropy is the suite's minimum for codes and tokens: Shannon entropy times length, in bits.
const minEntropy = 96

// checkEntropy checks the entropy of an authorization code, an access token or a refresh token.
func (m *module) checkEntropy(text string) {
	m.Helper()
	count := map[rune]float64{}
	for _, r := range text {
		count[r]++
	}
	bits := 0.0
	for _, n := range count {
		bits -= n * math.Log2(n/float64(len(text)))
	}
	if bits < minEntropy {
		m.Errorf("got %q with %.0f bits, want %d", text, bits, minEntropy)
	}
}

// scopeClaims returns the claims of a scope (Core §5.4, and groups).
func scopeClaims(scope string) []string {
	return map[string][]string{
		"openid": {"sub"},
		"profile": {
			"name",
			"given_name",
			"family_name",
			"middle_name",
			"nickname",
			"profile",
			"picture",
			"website",
			"gender",
			"birthdate",
			"zoneinfo",
			"locale",
			"updated_at",
			"preferred_username",
		},
		"email":   {"email", "email_verified"},
		"address": {"address"},
		"phone":   {"phone_number", "phone_number_verified"},
		"groups":  {"groups"}, // ours
	}[scope]
}
