package register

import (
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// ResponseTypes returns the response types that a client can register (OAuth 2.0 Multiple Response Types 1.0 §3, §5).
// The values of each response type are sorted. Without implicit, only code is returned: with all others, the
// authorization endpoint issues tokens.
func ResponseTypes(implicit bool) []string {
	if !implicit {
		return []string{"code"}
	}
	return []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
}

// GrantTypes returns the grant types that a client can register.
func GrantTypes(implicit bool) []string {
	isOff := func(grantType string) bool { return grantType == "implicit" && !implicit }
	return slices.DeleteFunc(storage.SupportedGrantTypes(), isOff)
}

// AuthMethods returns the authentication methods of the token endpoint (Core §9).
func AuthMethods() []string {
	return []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"}
}

// checkFlow checks response types, grant types and the authentication method, and that they fit together.
func (c *validation) checkFlow(m *storage.Metadata) {
	c.checkResponseTypes(m)
	c.checkGrantTypes(m)
	c.checkOneOf("token_endpoint_auth_method", m.TokenEndpointAuthMethod, AuthMethods()...)
	if m.TokenEndpointAuthMethod != "none" {
		return
	}
	optsOutOfPKCE := m.RequirePKCE != nil && !*m.RequirePKCE
	if optsOutOfPKCE && !c.policy.PublicWithoutPKCE {
		// RFC 9700 §2.1.1: without a secret, only PKCE binds a code to the client that requested it.
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

// checkResponseTypes checks the response types, sorts them and removes duplicates. The default is code, if the grant
// types allow it.
func (c *validation) checkResponseTypes(m *storage.Metadata) {
	mayUseCode := m.GrantTypes == nil || slices.Contains(m.GrantTypes, "authorization_code")
	if m.ResponseTypes == nil && mayUseCode {
		m.ResponseTypes = []string{"code"}
	}
	m.ResponseTypes = slices.Clone(m.ResponseTypes)
	supported := ResponseTypes(c.policy.Implicit)
	for i, responseType := range m.ResponseTypes {
		values := strings.Fields(responseType)
		slices.Sort(values)
		normalized := strings.Join(values, " ") // as ResponseTypes returns it
		if !slices.Contains(supported, normalized) {
			c.addProblem(
				indexed("response_types", i),
				"%+q is not known or not allowed here; use %s",
				responseType,
				joinWithOr(supported),
			)
			continue
		}
		m.ResponseTypes[i] = normalized
	}
	slices.Sort(m.ResponseTypes)
	m.ResponseTypes = slices.Compact(m.ResponseTypes)
}

// checkGrantTypes checks that each response type has its grant types, by the table in RFC 7591 §2.1 (and Registration
// §2). If m has no grant types, it adds the required ones.
func (c *validation) checkGrantTypes(m *storage.Metadata) {
	required := map[string]bool{}
	for _, t := range m.ResponseTypes {
		values := strings.Fields(t)
		if slices.Contains(values, "code") {
			required["authorization_code"] = true
		}
		if slices.Contains(values, "token") || slices.Contains(values, "id_token") {
			required["implicit"] = true
		}
	}
	declared := m.GrantTypes != nil
	for i, t := range m.GrantTypes {
		if !slices.Contains(GrantTypes(c.policy.Implicit), t) {
			c.addProblem(
				indexed("grant_types", i),
				"%+q is not known; use %s",
				t,
				joinWithOr(GrantTypes(c.policy.Implicit)),
			)
		}
	}
	for _, t := range GrantTypes(c.policy.Implicit) {
		registered := slices.Contains(m.GrantTypes, t)
		needsResponseType := t == "authorization_code" || t == "implicit"
		switch {
		case required[t] && !declared:
			m.GrantTypes = append(m.GrantTypes, t)
		case required[t] && !registered:
			c.addProblem("grant_types", "lacks %s, which the response types need (RFC 7591 §2.1)", t)
		case registered && needsResponseType && !required[t]:
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
