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

// Client is the client metadata of a relying party (RFC 7591), with client_id and client_secret.
type Client map[string]any

// StaticClients are the clients of a run with static registration. The comments name their blocks in the suite's
// configuration.
type StaticClients struct {
	First  Client // client
	Second Client // client2; it tries to use codes and tokens of the first
	Post   Client // client_secret_post, for the one module that authenticates by that method
	keys   map[string]jose.JSONWebKeySet
}

// NewStaticClients makes the clients of a run. Their redirect URIs are below base. Each client has an id, a secret
// and a key of its own.
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

// All returns the clients, for registration at the OP.
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

// client returns the metadata of one client. It has a logout URI only for the plans of that kind of logout: in other
// plans, an unexpected logout request would make a module fail.
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

// clientSettings returns the settings of Curfew's own metadata that a run's clients need:
//
//   - require_pkce is false, because most modules do not send PKCE;
//   - consent is skipped, because no user gives it;
//   - check_session gives the clients of session management a session_state;
//   - renotify is false, because a re-notification would arrive during the next module of the same alias.
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

// responseTypes returns the response types that the modules of a run request.
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

// grantTypes returns the grant types that response types need (OpenID Connect Dynamic Client Registration 1.0 §2).
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
