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

// year bounds the seconds that a client may declare; more is no bound at all.
const year = 365 * 24 * 60 * 60

// choices checks Curfew's own members.
func (c *check) choices(m *storage.Metadata) {
	c.oneOf("access_token_format", m.AccessTokenFormat, "opaque", "jwt")
	c.list("audience", m.Audience)
	c.oneOf("consent", m.Consent, "ask", "skip")
	c.oneOf("logout_token_typ", m.LogoutTokenTyp, "logout+jwt", "JWT", "none")
	c.oneOf("logout_token_claims", m.LogoutTokenClaims, "both", "sid", "sub")
	if m.LogoutTokenClaims == "sub" && m.BackchannelSessionReq {
		// Back-Channel Logout 1.0 §2.2: who requires sid gets it.
		c.refuse("logout_token_claims", "sub leaves out the sid that backchannel_logout_session_required demands; drop one of them")
	}
	c.oneOf("backend_logout", m.BackendLogout, "none", "session")
	c.oneOf("logout_scope", m.LogoutScope, "application", "browser", "everywhere")
	c.oneOf("refresh_tokens", m.RefreshTokens, "session", "offline")
	c.seconds("session_expiry", m.SessionExpiry, year)
	c.seconds("introspection_cache", m.IntrospectionCache, year)
	if m.ClockSkew != nil {
		c.seconds("clock_skew", *m.ClockSkew, 60*60)
	}
}

func (c *check) seconds(field string, n, most int) {
	if n < 0 || n > most {
		c.refuse(field, "%d is not a number of seconds from 0 to %d", n, most)
	}
}

// Choices are the names of Curfew's own members of metadata.
func Choices() []string {
	return []string{
		"require_pkce", "access_token_format", "audience", "consent", "logout_token_typ", "logout_token_claims", "backend_logout", "logout_scope",
		"refresh_tokens", "check_session", "session_expiry", "introspection_cache", "session_with_tokens", "clock_skew", "tell_late_join",
	}
}

// CheckDefaults checks the per-client choices that an initial access token or open registration gives: a JSON object with
// names of [Choices] only. Its error is [Problems]. Nothing at all is sound, too.
func CheckDefaults(defaults []byte) error {
	if len(defaults) == 0 {
		return nil
	}
	members, err := object(defaults)
	if err != nil {
		return err
	}
	var c check
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(Choices(), name) {
			c.refuse(name, "%s", Unknown(name, Choices()))
		}
	}
	m, err := Decode(defaults)
	var wrong Problems
	if errors.As(err, &wrong) {
		c.problems = append(c.problems, wrong...)
	}
	c.choices(&m)
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}

// forOperator tells whether a member is a choice that only an operator makes: what it asks of people, of other
// applications and of the provider is not for whoever registers to say. Its strict value may be asked for by anybody.
func forOperator(name string, value json.RawMessage) bool {
	switch name {
	case "audience", "logout_scope":
		return true
	case "require_pkce":
		return string(value) != "true"
	case "consent":
		return string(value) != `"ask"`
	case "backend_logout":
		return string(value) != `"none"`
	}
	return false
}

// asked is the metadata of a registration: what its sender may decide, over the choices that an operator gave. Names are
// taken exactly as they are spelt; encoding/json by itself would read "Consent" as consent.
func asked(body, defaults []byte, p Policy) (storage.Metadata, error) {
	members, err := object(body)
	if err != nil {
		return storage.Metadata{}, err
	}
	known := Names()
	maps.DeleteFunc(members, func(name string, value json.RawMessage) bool {
		return name == "client_id" || !slices.Contains(known, name) || forOperator(name, value)
	})
	own, err := json.Marshal(members)
	if err != nil {
		return storage.Metadata{}, fmt.Errorf("encode metadata: %w", err)
	}
	var m storage.Metadata
	if len(defaults) > 0 {
		if err := json.Unmarshal(defaults, &m); err != nil {
			return storage.Metadata{}, fmt.Errorf("read defaults: %w", err) // ours, checked when they were set
		}
	}
	held := strings.Fields(m.Scope)
	m.Scope = ""
	if err := decodeOver(&m, own); err != nil {
		return storage.Metadata{}, err
	}
	m.Scope = p.ownScope(m.Scope, held)
	if m.TokenEndpointAuthMethod == "none" && m.RequirePKCE != nil && !*m.RequirePKCE && !p.PublicWithoutPKCE {
		m.RequirePKCE = nil // a default for confidential clients; the others cannot opt out
	}
	// RFC 7591 §3.2.1 lets us replace what was asked for: grant types that we lack do no harm beside one that we have.
	if kept := slices.DeleteFunc(slices.Clone(m.GrantTypes), func(t string) bool { return !slices.Contains(GrantTypes(), t) }); len(kept) > 0 {
		m.GrantTypes = kept
	}
	return m, nil
}

// ownScope is what of a scope a client may give itself: what can be asked of people, and what an operator gave it before. Any other is a right at
// somebody's API. Where nothing is left it is openid, since no scope at all means every one.
func (p Policy) ownScope(asked string, held []string) string {
	if asked == "" {
		return ""
	}
	kept := slices.DeleteFunc(strings.Split(asked, " "), func(s string) bool {
		// What is no scope at all is left for Validate to name.
		return scopeToken(s) && !slices.Contains(p.Scopes, s) && !slices.Contains(held, s)
	})
	if len(kept) == 0 {
		return "openid"
	}
	return strings.Join(kept, " ")
}

// choicesOf are the choices that m holds, and its scope, to be the defaults of its successor.
func choicesOf(m *storage.Metadata) ([]byte, error) {
	whole, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	members, err := object(whole)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return name != "scope" && !slices.Contains(Choices(), name) })
	return json.Marshal(members)
}
