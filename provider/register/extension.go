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

// maxDeclaredSeconds is the maximum duration that a client may declare: a year.
const maxDeclaredSeconds = 365 * 24 * 60 * 60

// maxClockSkewSeconds is the maximum clock skew that a client may declare: an hour.
const maxClockSkewSeconds = 60 * 60

// checkExtensions checks the members of metadata that Curfew adds to the specifications.
func (c *validation) checkExtensions(m *storage.Metadata) {
	c.checkOneOf("access_token_format", m.AccessTokenFormat, "opaque", "jwt")
	c.checkOneOf("assertion_audience", m.AssertionAudience, "issuer")
	c.checkOneOf("access_token_typ", m.AccessTokenTyp, "at+jwt", "JWT")
	c.checkClaimRules("id_token_claims", m.IDTokenClaims)
	c.checkClaimRules("userinfo_claims", m.UserinfoClaims)
	c.checkClaimRules("access_token_claims", m.AccessTokenClaims)
	c.checkList("audience", m.Audience)
	c.checkList("introspect", m.Introspect)
	c.checkSchemes(m.AllowSchemes)
	c.checkOneOf("consent", m.Consent, "ask", "skip")
	c.checkOneOf("logout_token_typ", m.LogoutTokenTyp, "logout+jwt", "JWT", "none")
	c.checkOneOf("logout_token_claims", m.LogoutTokenClaims, "both", "sid", "sub")
	if m.LogoutTokenClaims == "sub" && m.BackchannelSessionReq {
		// Back-Channel Logout 1.0 §2.2: a client that requires sid must get it.
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
	c.checkOneOf("require_authn", m.RequireAuthn, "password", "mfa", "passkey")
	c.checkGroups("admit_groups", m.AdmitGroups)
	c.checkOneOf("refresh_tokens", m.RefreshTokens, "session", "offline")
	c.checkSeconds("session_expiry", m.SessionExpiry, maxDeclaredSeconds)
	c.checkSeconds("introspection_cache", m.IntrospectionCache, maxDeclaredSeconds)
	if m.ClockSkew != nil {
		c.checkSeconds("clock_skew", *m.ClockSkew, maxClockSkewSeconds)
	}
}

// checkGroups checks that the values are names of groups.
func (c *validation) checkGroups(field string, names []string) {
	c.checkList(field, names)
	for i, name := range names {
		if err := storage.CheckGroupName(name); err != nil && name != "" {
			c.addProblem(indexed(field, i), "%s", err)
		}
	}
}

// checkSeconds checks that n is from 0 to limit.
func (c *validation) checkSeconds(field string, n, limit int) {
	if n < 0 || n > limit {
		c.addProblem(field, "%d is not a number of seconds from 0 to %d", n, limit)
	}
}

// ExtensionNames returns the names of the members of metadata that Curfew adds to the specifications.
func ExtensionNames() []string {
	return []string{
		"require_pkce",
		"assertion_audience",
		"access_token_format",
		"access_token_typ",
		"id_token_claims",
		"userinfo_claims",
		"access_token_claims",
		"audience",
		"introspect",
		"allow_http",
		"allow_schemes",
		"consent",
		"logout_token_typ",
		"logout_token_claims",
		"backend_logout",
		"logout_scope",
		"require_authn",
		"admit_groups",
		"refresh_tokens",
		"check_session",
		"session_expiry",
		"introspection_cache",
		"session_with_tokens",
		"confirmations",
		"clock_skew",
		"renotify",
		"notify_initiator",
	}
}

// CheckDefaults checks the defaults that an initial access token or open registration gives to clients: a JSON object
// with members of [ExtensionNames] only, or nothing. Its error is [Problems].
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

// operatorOnly reports whether only an operator may set the member to this value: a client that registers itself must
// not weaken the protection of users, other clients or the provider. Every client may set the strictest value.
func operatorOnly(name string, value json.RawMessage) bool {
	switch name {
	case "audience", "introspect", "allow_http", "allow_schemes", "logout_scope", "require_authn", "admit_groups",
		"userinfo_claims", "access_token_claims":
		return true
	case "require_pkce":
		return string(value) != "true"
	case "id_token_claims":
		return string(value) != `"scope"`
	case "consent":
		return string(value) != `"ask"`
	case "backend_logout":
		return string(value) == `"session"`
	}
	return false
}

// requestedMetadata returns the metadata of a registration. It starts with the operator's defaults and adds the members
// that the caller may set. Names must have exact case: encoding/json alone would accept "Consent" for consent.
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
			// CheckDefaults has accepted them, so this is an error of Curfew.
			return storage.Metadata{}, fmt.Errorf("read defaults: %w", err)
		}
	}
	operatorScopes := strings.Fields(m.Scope)
	m.Scope = ""
	if err := decodeOver(&m, requested); err != nil {
		return storage.Metadata{}, err
	}
	m.Scope = p.allowedScope(m.Scope, operatorScopes)
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = "client_secret_basic" // the default of RFC 7591 §2
	}
	isPublic := m.TokenEndpointAuthMethod == "none"
	optsOutOfPKCE := m.RequirePKCE != nil && !*m.RequirePKCE
	if isPublic && optsOutOfPKCE && !p.PublicWithoutPKCE {
		m.RequirePKCE = nil // false comes from the defaults and is for confidential clients; this one must use PKCE
	}
	// RFC 7591 §3.2.1 allows the provider to replace requested values. If some grant types are supported, the others
	// are dropped. If none is, Validate reports them.
	isUnsupported := func(t string) bool { return !slices.Contains(GrantTypes(p.Implicit), t) }
	supported := slices.DeleteFunc(slices.Clone(m.GrantTypes), isUnsupported)
	if len(supported) > 0 {
		m.GrantTypes = supported
	}
	return m, nil
}

// allowedScope returns the part of a requested scope that a client may register for itself: the self-service scopes of
// the policy, and scopes that an operator granted before. Other scopes are rights at an API. If no scope remains,
// allowedScope returns openid, because an empty scope would allow every scope.
func (p Policy) allowedScope(requested string, operatorScopes []string) string {
	if requested == "" {
		return ""
	}
	isDenied := func(s string) bool {
		if !isScopeToken(s) {
			return false // Validate reports it
		}
		return !slices.Contains(p.SelfServiceScopes, s) && !slices.Contains(operatorScopes, s)
	}
	allowed := slices.DeleteFunc(strings.Split(requested, " "), isDenied)
	if len(allowed) == 0 {
		return "openid"
	}
	return strings.Join(allowed, " ")
}

// extensionsOf returns the scope of m and the members that Curfew adds to the specifications, as the defaults for an
// update.
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
