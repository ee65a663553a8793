package suite

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Client is a relying party: its metadata under RFC 7591's names, with client_id and client_secret.
type Client map[string]any

// StaticClients are the clients that a run with static registration needs, each in its place in the suite's
// configuration.
type StaticClients struct {
	First  Client // "client"
	Second Client // "client2": tries to use what is bound to the first
	Post   Client // "client_secret_post": the certification plans authenticate by client_secret_basic but for one module
	keys   map[string]jose.JSONWebKeySet
}

// NewStaticClients makes the clients of a run whose redirect URIs lie below base. Each has an id, a secret and a key
// of its own.
func NewStaticClients(r Run, base string) (StaticClients, error) {
	method := r.Variant["client_auth_type"]
	if method == "" {
		method = "client_secret_basic"
	}
	s := StaticClients{keys: map[string]jose.JSONWebKeySet{}}
	for _, c := range []struct {
		client *Client
		name   string
		method string
	}{{&s.First, "first", method}, {&s.Second, "second", method}, {&s.Post, "post", "client_secret_post"}} {
		*c.client = r.client(c.name, base, c.method)
		if c.method != "private_key_jwt" {
			continue
		}
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return StaticClients{}, fmt.Errorf("generate client key: %w", err)
		}
		jwk := jose.JSONWebKey{Key: key, KeyID: c.name, Algorithm: string(jose.RS256), Use: "sig"}
		s.keys[c.name] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}}
		(*c.client)["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}
	}
	return s, nil
}

// All lists the clients, to be registered with the OP.
func (s StaticClients) All() []Client { return []Client{s.First, s.Second, s.Post} }

// configure writes the clients' blocks of the suite's configuration.
func (s StaticClients) configure(config map[string]any) {
	for block, name := range map[string]string{"client": "first", "client2": "second", "client_secret_post": "post"} {
		client := map[string]Client{"first": s.First, "second": s.Second, "post": s.Post}[name]
		entry := map[string]any{"client_id": client["client_id"]}
		if secret, ok := client["client_secret"]; ok {
			entry["client_secret"] = secret
		}
		if keys, ok := s.keys[name]; ok {
			entry["jwks"] = keys
		}
		if client["token_endpoint_auth_method"] == "client_secret_jwt" {
			entry["client_secret_jwt_alg"] = "HS256"
		}
		config[block] = entry
	}
}

// client is one client's metadata. Only the plan of a logout kind registers that kind's URI: a call that a module
// does not expect fails it.
func (r Run) client(name, base, method string) Client {
	c := Client{
		"client_id":                  "conformance-" + name + "-" + rand.Text()[:8],
		"client_name":                "Conformance suite (" + name + ")",
		"redirect_uris":              []string{base + "/callback"},
		"token_endpoint_auth_method": method,
		"response_types":             r.responseTypes(),
		"grant_types":                grantTypes(r.responseTypes()),
		"scope":                      "openid profile email address phone offline_access",
	}
	maps.Copy(c, clientSettings(r))
	if strings.HasPrefix(method, "client_secret_") {
		c["client_secret"] = rand.Text() + rand.Text() // long enough for HS256
	}
	if strings.Contains(r.Plan, "logout") || strings.Contains(r.Plan, "session-management") {
		c["post_logout_redirect_uris"] = []string{base + "/post_logout_redirect"}
	}
	switch {
	case strings.Contains(r.Plan, "frontchannel"):
		c["frontchannel_logout_uri"] = base + "/frontchannel_logout"
		c["frontchannel_logout_session_required"] = true
	case strings.Contains(r.Plan, "backchannel"):
		c["backchannel_logout_uri"] = base + "/backchannel_logout"
		c["backchannel_logout_session_required"] = true
	}
	return c
}

// clientSettings are what a run's clients need of Curfew and a plain registration does not give: one module of a plan
// sends PKCE and the others must work without, no user is there to give consent, session_state is for the clients
// that ask for it, and a client that signed out at once after signing in is notified again, which would fall into the
// next module of its alias.
func clientSettings(r Run) map[string]any {
	c := map[string]any{"require_pkce": false, "consent": "skip"}
	switch {
	case strings.Contains(r.Plan, "session-management"):
		c["check_session"] = true
	case strings.Contains(r.Plan, "backchannel"):
		c["renotify"] = false
	}
	return c
}

// responseTypes are the response types that a run's modules ask for.
func (r Run) responseTypes() []string {
	switch {
	case r.Variant["response_type"] != "":
		return []string{r.Variant["response_type"]}
	case strings.Contains(r.Plan, "implicit"):
		return []string{"id_token", "id_token token"}
	case strings.Contains(r.Plan, "hybrid"):
		return []string{"code id_token", "code token", "code id_token token"}
	}
	return []string{"code"}
}

// grantTypes are what response types need (OpenID Connect Dynamic Client Registration 1.0 §2).
func grantTypes(responseTypes []string) []string {
	all := strings.Fields(strings.Join(responseTypes, " "))
	var grants []string
	if slices.Contains(all, "code") {
		grants = append(grants, "authorization_code", "refresh_token")
	}
	if slices.Contains(all, "token") || slices.Contains(all, "id_token") {
		grants = append(grants, "implicit")
	}
	return grants
}
