package logout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Remain is the longest that one kind of trust can last after any end of a session, by what a client declared.
type Remain struct {
	Applies bool          `json:"applies"` // the client can hold this kind at all
	Within  time.Duration `json:"within"`  // 0: at once
	Unknown bool          `json:"unknown"` // nothing bounds it
	Basis   string        `json:"basis,omitempty"`
}

// remainTokens is the longest that access tokens given to c can be accepted after the end.
func remainTokens(c *storage.Client, l Lifetimes) Remain {
	r := Remain{Applies: true, Basis: BasisEnforced}
	if cache := seconds(c.IntrospectionCache); cache > 0 {
		r.Within, r.Basis = min(Visibility+cache, l.Opaque+skew(c)), BasisCache
	}
	if c.AccessTokenFormat == "jwt" && l.JWT+skew(c) > r.Within {
		r.Within, r.Basis = l.JWT+skew(c), BasisJWT
	}
	return r
}

// remainApplication is the longest that the application's own session can last if it hears nothing.
func remainApplication(c *storage.Client, l Lifetimes) Remain {
	if !joins(c) {
		return Remain{}
	}
	r := Remain{Applies: true, Unknown: true, Basis: BasisNone}
	bound := func(d time.Duration, basis string) {
		if d += skew(c); r.Unknown || d < r.Within {
			r.Within, r.Unknown, r.Basis = d, false, basis
		}
	}
	if lease := seconds(c.SessionExpiry); lease > 0 {
		if l.Absolute > 0 {
			lease = min(lease, l.Absolute)
		}
		bound(lease, BasisLease)
	}
	// Offline access outlives the session and goes on getting tokens, so the tie bounds nothing for who may have it.
	if c.SessionWithTokens && !MayHoldOffline(c) {
		life := l.Opaque
		if c.AccessTokenFormat == "jwt" {
			life = l.JWT
		}
		bound(life, BasisTokens)
	}
	return r
}

// joins tells whether a client can become a member of a session.
func joins(c *storage.Client) bool {
	return len(c.GrantTypes) == 0 || slices.Contains(c.GrantTypes, "authorization_code") || slices.Contains(c.GrantTypes, "implicit")
}

// MayHoldOffline tells whether a client may hold refresh tokens that survive the session (Core §11).
func MayHoldOffline(c *storage.Client) bool {
	asks := c.Scope == "" || slices.Contains(strings.Fields(c.Scope), "offline_access")
	return asks && slices.Contains(c.GrantTypes, "refresh_token") && c.RefreshTokens != "session"
}

// Breach is how a client would break max_trust_horizon.
type Breach struct {
	Client    string        `json:"client"`
	Rule      string        `json:"rule"` // the basis of the bound that is too long; BasisNone: there is none
	Setting   string        `json:"setting"`
	Within    time.Duration `json:"within,omitempty"`
	By        time.Duration `json:"by,omitempty"` // how much too long; 0 if there is no bound at all
	Unbounded bool          `json:"unbounded,omitempty"`
}

// Error says which rule is broken and by how much. A Breach is an error so that it can be returned as one.
func (b Breach) Error() string {
	if b.Unbounded {
		return fmt.Sprintf("client %s: its session after a logout has no bound; max_trust_horizon asks for one: %s", b.Client, b.Setting)
	}
	return fmt.Sprintf("client %s: %s allows %s after a logout, %s more than max_trust_horizon; shorten %s", b.Client, b.Rule, b.Within, b.By, b.Setting)
}

// setting names what to change for each basis.
func setting(basis string) string {
	switch basis {
	case BasisCache:
		return "introspection_cache"
	case BasisJWT:
		return "token.jwt or clock_skew, or use access_token_format opaque"
	case BasisLease:
		return "session_expiry or clock_skew"
	case BasisTokens:
		return "token.opaque, token.jwt or clock_skew"
	default:
		return "declare session_expiry, or session_with_tokens with refresh_tokens session"
	}
}

// CheckMaxHorizon is how a client with these lifetimes would break a promised longest trust horizon. 0 promises nothing.
func CheckMaxHorizon(longest time.Duration, c *storage.Client, l Lifetimes) []Breach {
	var breaches []Breach
	for _, r := range []Remain{remainTokens(c, l), remainApplication(c, l)} {
		switch {
		case longest <= 0 || !r.Applies:
		case r.Unknown:
			breaches = append(breaches, Breach{Client: c.ClientID, Rule: r.Basis, Setting: setting(r.Basis), Unbounded: true})
		case r.Within > longest:
			breaches = append(breaches, Breach{Client: c.ClientID, Rule: r.Basis, Setting: setting(r.Basis), Within: r.Within, By: r.Within - longest})
		}
	}
	return breaches
}
