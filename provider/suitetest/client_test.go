package suitetest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/provider/providertest"
)

// suiteClient is a client that the suite has registered.
type suiteClient struct {
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret"`
	Token    string `json:"registration_access_token"`
	URI      string `json:"registration_client_uri"`
	Method   string `json:"token_endpoint_auth_method"`
	Expires  *int64 `json:"client_secret_expires_at"`
	redirect string
	key      jose.JSONWebKey // signs assertions and request objects
	audience string          // of assertions; empty: the token endpoint
}

// clientKeys returns two keys of a client. The second one is for after a rotation.
var clientKeys = sync.OnceValue(func() (keys [2]jose.JSONWebKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = jose.JSONWebKey{
			Key:       key,
			KeyID:     "rp-" + string(rune('1'+i)),
			Algorithm: string(jose.RS256),
			Use:       "sig",
		}
	}
	return keys
})

// keySet returns a JWK Set with the public key.
func keySet(key jose.JSONWebKey) string {
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// metadata returns the metadata that the suite registers for this variant. more changes members; nil removes one.
func (m *module) metadata(more map[string]any) map[string]any {
	var grants []string
	if m.includes("code") {
		grants = append(grants, "authorization_code")
	}
	if m.includes("token") || m.includes("id_token") {
		grants = append(grants, "implicit")
	}
	request := map[string]any{
		"client_name":                "Conformance suite",
		"grant_types":                grants,
		"jwks":                       json.RawMessage(keySet(clientKeys()[0])),
		"token_endpoint_auth_method": "client_secret_basic",
		"response_types":             []string{m.responseType},
		"redirect_uris":              []string{suiteBase + "/callback"},
		"contacts":                   []string{"certification@oidf.org"},
	}
	maps.Copy(request, more)
	maps.DeleteFunc(request, func(_ string, value any) bool { return value == nil })
	return request
}

// register sends a registration request.
func (m *module) register(more map[string]any) providertest.Page {
	m.Helper()
	body, err := json.Marshal(m.metadata(more))
	if err != nil {
		m.Fatalf("%v", err)
	}
	return m.send(http.MethodPost, "/register", "application/json", string(body), nil)
}

// mustRegister registers the module's client and checks the response (Registration §3.2). Curfew may fetch only
// sector_identifier_uri, because the suite counts every other request as a failure.
func (m *module) mustRegister(more map[string]any) *suiteClient {
	m.Helper()
	fetched := len(m.web.fetched)
	p := m.register(more)
	answer := m.mustJSON(p)
	var c suiteClient
	err := json.Unmarshal([]byte(p.Body), &c)
	if err != nil || p.Status != http.StatusCreated || answer["error"] != nil || c.ID == "" {
		m.Fatalf("got %d %s, want a registered client", p.Status, p.Body)
	}
	if c.Secret != "" && c.Expires == nil {
		m.Errorf("got a secret without client_secret_expires_at")
	}
	if c.Token == "" || !strings.HasPrefix(c.URI, providertest.Issuer+"/") {
		m.Errorf("got %q and %q, want registration_access_token and registration_client_uri", c.Token, c.URI)
	}
	for _, uri := range m.web.fetched[fetched:] {
		if uri != answer["sector_identifier_uri"] {
			m.Errorf("got %s fetched at registration", uri)
		}
	}
	c.redirect = suiteBase + "/callback"
	c.key = clientKeys()[0]
	if uris, ok := answer["redirect_uris"].([]any); ok {
		c.redirect, _ = uris[0].(string)
	}
	m.client = &c
	return &c
}

// mustRefuseRegistration checks that a registration is refused with one of the codes (Registration §3.3).
func (m *module) mustRefuseRegistration(more map[string]any, codes ...string) {
	m.Helper()
	p := m.register(more)
	code, _ := m.mustJSON(p)["error"].(string)
	for _, want := range codes {
		if p.Status == http.StatusBadRequest && code == want {
			return
		}
	}
	m.Errorf("got %d %s, want 400 %v", p.Status, p.Body, codes)
}

// unregister removes a client, as each module does at its end (RFC 7592 §2.3).
func (m *module) unregister(c *suiteClient) {
	m.Helper()
	header := http.Header{"Authorization": {"Bearer " + c.Token}}
	p := m.send(http.MethodDelete, c.URI, "", "", header)
	if p.Status != http.StatusNoContent {
		m.Errorf("got %d when the client was removed, want 204", p.Status)
	}
}

// sign returns a JWT that is signed with this key.
func (m *module) sign(alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	m.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		m.Fatalf("%v", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		m.Fatalf("%v", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		m.Fatalf("%v", err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		m.Fatalf("%v", err)
	}
	return text
}

// unsigned returns a JWT with alg none.
func (m *module) unsigned(claims map[string]any) string {
	m.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		m.Fatalf("%v", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."
}

// assertion returns the suite's client assertion: its audience is the token endpoint, and it is valid for a minute.
func (m *module) assertion(c *suiteClient) string {
	m.Helper()
	audience := c.audience
	if audience == "" {
		audience = providertest.Issuer + "/token"
	}
	now := time.Now()
	claims := map[string]any{
		"iss": c.ID,
		"sub": c.ID,
		"aud": audience,
		"jti": randomText(20),
		"nbf": now.Unix(),
		"iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
	}
	if c.Method == "client_secret_jwt" {
		return m.sign(jose.HS256, []byte(c.Secret), claims)
	}
	return m.sign(jose.RS256, c.key, claims)
}

// authenticate adds the client's credentials to a token request, by its registered method.
func (m *module) authenticate(c *suiteClient, form url.Values, header http.Header) {
	m.Helper()
	switch c.Method {
	case "client_secret_basic":
		pair := url.QueryEscape(c.ID) + ":" + url.QueryEscape(c.Secret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case "client_secret_post":
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret)
	case "client_secret_jwt", "private_key_jwt":
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", m.assertion(c))
	default:
		form.Set("client_id", c.ID)
	}
}
