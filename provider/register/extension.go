package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// maxDeclaredSeconds bounds the seconds that a client may declare; more is no bound at all.
const maxDeclaredSeconds = 365 * 24 * 60 * 60

// checkExtensions checks Curfew's own members.
func (c *validation) checkExtensions(m *storage.Metadata) {
	c.checkOneOf("access_token_format", m.AccessTokenFormat, "opaque", "jwt")
	c.checkOneOf("assertion_audience", m.AssertionAudience, "issuer")
	c.checkOneOf("access_token_typ", m.AccessTokenTyp, "at+jwt", "JWT")
	c.checkOneOf("id_token_claims", m.IDTokenClaims, "scope")
	c.checkList("audience", m.Audience)
	c.checkOneOf("consent", m.Consent, "ask", "skip")
	c.checkOneOf("logout_token_typ", m.LogoutTokenTyp, "logout+jwt", "JWT", "none")
	c.checkOneOf("logout_token_claims", m.LogoutTokenClaims, "both", "sid", "sub")
	if m.LogoutTokenClaims == "sub" && m.BackchannelSessionReq {
		// Back-Channel Logout 1.0 §2.2: who requires sid gets it.
		c.addProblem(
			"logout_token_claims",
			"sub leaves out the sid that backchannel_logout_session_required demands; drop one of them",
		)
	}
	c.checkOneOf("confirmations", m.Confirmations, "trusted", "untrusted")
	c.checkOneOf("backend_logout", m.BackendLogout, "none", "client", "session")
	c.checkOneOf(
		"logout_scope",
		string(m.LogoutScope),
		string(storage.ScopeClient),
		string(storage.ScopeSession),
		string(storage.ScopeAll),
	)
	c.checkOneOf("refresh_tokens", m.RefreshTokens, "session", "offline")
	c.checkSeconds("session_expiry", m.SessionExpiry, maxDeclaredSeconds)
	c.checkSeconds("introspection_cache", m.IntrospectionCache, maxDeclaredSeconds)
	if m.ClockSkew != nil {
		c.checkSeconds("clock_skew", *m.ClockSkew, 60*60)
	}
}

func (c *validation) checkSeconds(field string, n, limit int) {
	if n < 0 || n > limit {
		c.addProblem(field, "%d is not a number of seconds from 0 to %d", n, limit)
	}
}

// ExtensionNames are the names of Curfew's own members of metadata.
func ExtensionNames() []string {
	return []string{
		"require_pkce", "assertion_audience", "access_token_format", "access_token_typ", "id_token_claims", "audience", "consent", "logout_token_typ", "logout_token_claims", "backend_logout", "logout_scope",
		"refresh_tokens", "check_session", "session_expiry", "introspection_cache", "session_with_tokens", "confirmations", "clock_skew", "renotify",
	}
}

// CheckDefaults checks the per-client choices that an initial access token or open registration gives: a JSON object
// with names of [Choices] only. Its error is [Problems]. Nothing at all is sound, too.
func CheckDefaults(defaults []byte) error {
	if len(defaults) == 0 {
		return nil
	}
	members, err := decodeObject(defaults)
	if err != nil {
		return err
	}
	var c validation
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(ExtensionNames(), name) {
			c.addProblem(name, "%s", DescribeUnknown(name, ExtensionNames()))
		}
	}
	m, err := Decode(defaults)
	var decodeProblems Problems
	if errors.As(err, &decodeProblems) {
		c.problems = append(c.problems, decodeProblems...)
	}
	c.checkExtensions(&m)
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}

// operatorOnly reports whether a member is a choice that only an operator makes: a client that registers itself must
// not decide what is asked of users, of other clients and of the provider. Any client may ask for the strict value.
func operatorOnly(name string, value json.RawMessage) bool {
	switch name {
	case "audience", "logout_scope":
		return true
	case "require_pkce":
		return string(value) != "true"
	case "consent":
		return string(value) != `"ask"`
	case "backend_logout":
		return string(value) == `"session"`
	}
	return false
}

// requestedMetadata is the metadata of a registration: what its sender may decide, over the choices that an operator
// gave. Names are taken exactly as they are spelt; encoding/json by itself would read "Consent" as consent.
func requestedMetadata(body, defaults []byte, p Policy) (storage.Metadata, error) {
	members, err := decodeObject(body)
	if err != nil {
		return storage.Metadata{}, err
	}
	known := MetadataNames()
	maps.DeleteFunc(members, func(name string, value json.RawMessage) bool {
		return name == "client_id" || !slices.Contains(known, name) || operatorOnly(name, value)
	})
	requested, err := json.Marshal(members)
	if err != nil {
		return storage.Metadata{}, fmt.Errorf("encode metadata: %w", err)
	}
	var m storage.Metadata
	if len(defaults) > 0 {
		if err := json.Unmarshal(defaults, &m); err != nil {
			return storage.Metadata{}, fmt.Errorf("read defaults: %w", err) // ours, checked when they were set
		}
	}
	operatorScopes := strings.Fields(m.Scope)
	m.Scope = ""
	if err := decodeOver(&m, requested); err != nil {
		return storage.Metadata{}, err
	}
	m.Scope = p.allowedScope(m.Scope, operatorScopes)
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = "client_secret_basic" // RFC 7591 §2: the default of what clients register themselves
	}
	if m.TokenEndpointAuthMethod == "none" && m.RequirePKCE != nil && !*m.RequirePKCE && !p.PublicWithoutPKCE {
		m.RequirePKCE = nil // a default for confidential clients; the others cannot opt out
	}
	// RFC 7591 §3.2.1 lets us replace what was asked for: grant types that we lack do no harm beside one that we have.
	if supported := slices.DeleteFunc(slices.Clone(m.GrantTypes), func(t string) bool { return !slices.Contains(storage.SupportedGrantTypes(), t) }); len(
		supported,
	) > 0 {
		m.GrantTypes = supported
	}
	return m, nil
}

// allowedScope is what of a scope a client may give itself: what can be asked of users, and what an operator gave it
// before. Any other is a right at an API. Where nothing is left it is openid, since no scope at all means every one.
func (p Policy) allowedScope(requested string, operatorScopes []string) string {
	if requested == "" {
		return ""
	}
	allowed := slices.DeleteFunc(strings.Split(requested, " "), func(s string) bool {
		// What is no scope at all is left for Validate to name.
		return isScopeToken(s) && !slices.Contains(p.SelfServiceScopes, s) && !slices.Contains(operatorScopes, s)
	})
	if len(allowed) == 0 {
		return "openid"
	}
	return strings.Join(allowed, " ")
}

// extensionsOf are the choices that m holds, and its scope, to be the defaults of its successor.
func extensionsOf(m *storage.Metadata) ([]byte, error) {
	encoded, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	members, err := decodeObject(encoded)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
		return name != "scope" && !slices.Contains(ExtensionNames(), name)
	})
	return json.Marshal(members)
}
