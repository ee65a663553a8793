package register

import (
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// ResponseTypes are those a client can register, in the spelling in which they are stored (OAuth 2.0 Multiple Response
// Types 1.0 §3, §5). Their words may come in any order.
func ResponseTypes() []string {
	return []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
}

// AuthMethods are the ways in which a client can prove who it is at the token endpoint (Core §9).
func AuthMethods() []string {
	return []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"}
}

// checkFlow checks response types, grant types and client authentication, and that they fit together.
func (c *validation) checkFlow(m *storage.Metadata) {
	c.checkResponseTypes(m)
	c.checkGrantTypes(m)
	c.checkOneOf("token_endpoint_auth_method", m.TokenEndpointAuthMethod, AuthMethods()...)
	if m.TokenEndpointAuthMethod != "none" {
		return
	}
	if m.RequirePKCE != nil && !*m.RequirePKCE && !c.policy.PublicWithoutPKCE {
		// RFC 9700 §2.1.1: without a secret, PKCE is all that ties a code to who asked for it.
		c.addProblem("require_pkce", "cannot be false for a client without authentication; leave it out")
	}
	if slices.Contains(m.GrantTypes, "client_credentials") {
		// RFC 6749 §4.4: the grant is for confidential clients only.
		c.addProblem(
			"grant_types",
			"client_credentials needs a client that authenticates; choose another token_endpoint_auth_method",
		)
	}
}

func (c *validation) checkResponseTypes(m *storage.Metadata) {
	if m.ResponseTypes == nil && (m.GrantTypes == nil || slices.Contains(m.GrantTypes, "authorization_code")) {
		m.ResponseTypes = []string{"code"}
	}
	m.ResponseTypes = slices.Clone(m.ResponseTypes)
	for i, responseType := range m.ResponseTypes {
		words := strings.Fields(responseType)
		slices.Sort(words)
		normalized := strings.Join(words, " ") // the stored spellings are sorted, too
		if !slices.Contains(ResponseTypes(), normalized) {
			c.addProblem(
				indexed("response_types", i),
				"%+q is not known; use %s",
				responseType,
				joinWithOr(ResponseTypes()),
			)
			continue
		}
		m.ResponseTypes[i] = normalized
	}
	slices.Sort(m.ResponseTypes)
	m.ResponseTypes = slices.Compact(m.ResponseTypes)
}

// checkGrantTypes keeps to the table of RFC 7591 §2.1 (and Registration §2): each response type needs its grant types.
func (c *validation) checkGrantTypes(m *storage.Metadata) {
	required := map[string]bool{}
	for _, t := range m.ResponseTypes {
		words := strings.Fields(t)
		if slices.Contains(words, "code") {
			required["authorization_code"] = true
		}
		if slices.Contains(words, "token") || slices.Contains(words, "id_token") {
			required["implicit"] = true
		}
	}
	declared := m.GrantTypes != nil
	for i, t := range m.GrantTypes {
		if !slices.Contains(storage.SupportedGrantTypes(), t) {
			c.addProblem(
				indexed("grant_types", i),
				"%+q is not known; use %s",
				t,
				joinWithOr(storage.SupportedGrantTypes()),
			)
		}
	}
	for _, t := range storage.SupportedGrantTypes() {
		switch registered := slices.Contains(m.GrantTypes, t); {
		case required[t] && !declared:
			m.GrantTypes = append(m.GrantTypes, t)
		case required[t] && !registered:
			c.addProblem("grant_types", "lacks %s, which the response types need (RFC 7591 §2.1)", t)
		case registered && !required[t] && (t == "authorization_code" || t == "implicit"):
			c.addProblem(
				"response_types",
				"has none that needs the grant type %s; add one or leave that out (RFC 7591 §2.1)",
				t,
			)
		}
	}
	if slices.Contains(m.GrantTypes, "refresh_token") && !slices.Contains(m.GrantTypes, "authorization_code") {
		c.addProblem("grant_types", "refresh_token comes of a code; add authorization_code or leave it out")
	}
}
