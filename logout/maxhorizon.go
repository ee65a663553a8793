package logout

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DeclaredBound is the longest that one kind of report entry can stay trusted after a session ends, by what the
// client declared.
type DeclaredBound struct {
	Applies bool          `json:"applies"` // the client can have this kind at all
	Limit   time.Duration `json:"limit"`   // 0: at once
	Unknown bool          `json:"unknown"` // there is no bound
	BoundBy string        `json:"bound_by,omitempty"`
}

// declaredTokenBound bounds how long access tokens of c can be accepted after the end.
func declaredTokenBound(c *storage.Client, l Lifetimes) DeclaredBound {
	r := DeclaredBound{Applies: true, BoundBy: BoundByEnforcement}
	if cache := seconds(c.IntrospectionCache); cache > 0 {
		r.Limit, r.BoundBy = min(AnswerAllowance+cache, l.Opaque+clockSkew(c)), BoundByIntrospectionCache
	}
	if c.UsesJWTAccessTokens() && l.JWT+clockSkew(c) > r.Limit {
		r.Limit, r.BoundBy = l.JWT+clockSkew(c), BoundByAccessTokenExp
	}
	return r
}

// declaredClientSessionBound bounds how long the client's own session can last if no logout token reaches it.
func declaredClientSessionBound(c *storage.Client, l Lifetimes) DeclaredBound {
	if !c.CanJoinSession() {
		return DeclaredBound{}
	}
	r := DeclaredBound{Applies: true, Unknown: true, BoundBy: BoundByNothing}
	tighten := func(d time.Duration, boundBy string) {
		if d += clockSkew(c); r.Unknown || d < r.Limit {
			r.Limit, r.Unknown, r.BoundBy = d, false, boundBy
		}
	}
	if expiry := seconds(c.SessionExpiry); expiry > 0 {
		if l.Session > 0 {
			expiry = min(expiry, l.Session)
		}
		tighten(expiry, BoundBySessionExpiry)
	}
	// Offline access outlives the session and goes on getting tokens: then session_with_tokens bounds nothing.
	if c.SessionWithTokens && !c.MayHoldOfflineAccess() {
		lifetime := l.Opaque
		if c.UsesJWTAccessTokens() {
			lifetime = l.JWT
		}
		tighten(lifetime, BoundBySessionWithTokens)
	}
	return r
}

// HorizonViolation says how a client breaks max_trust_horizon. It is an error, so that it can be returned as one.
type HorizonViolation struct {
	Client    string        `json:"client"`
	BoundBy   string        `json:"bound_by"` // the rule whose bound is too long; BoundByNothing: there is no bound
	Setting   string        `json:"setting"`
	Limit     time.Duration `json:"limit,omitempty"`
	Excess    time.Duration `json:"excess,omitempty"` // how much longer than allowed; 0 if there is no bound
	Unbounded bool          `json:"unbounded,omitempty"`
}

// Error names the rule that is broken, by how much, and the setting to change.
func (b HorizonViolation) Error() string {
	if b.Unbounded {
		return fmt.Sprintf(
			"client %s: its session after a logout has no bound; max_trust_horizon asks for one: %s",
			b.Client,
			b.Setting,
		)
	}
	return fmt.Sprintf(
		"client %s: %s allows %s after a logout, %s more than max_trust_horizon; shorten %s",
		b.Client,
		b.BoundBy,
		b.Limit,
		b.Excess,
		b.Setting,
	)
}

// settingFor names the settings that shorten a bound.
func settingFor(boundBy string) string {
	switch boundBy {
	case BoundByIntrospectionCache:
		return "introspection_cache"
	case BoundByAccessTokenExp:
		return "token.jwt or clock_skew, or use access_token_format opaque"
	case BoundBySessionExpiry:
		return "session_expiry or clock_skew"
	case BoundBySessionWithTokens:
		return "token.opaque, token.jwt or clock_skew"
	default:
		return "declare session_expiry, or session_with_tokens with refresh_tokens session"
	}
}

// CheckMaxHorizon returns how a client breaks max_trust_horizon with these lifetimes; maxHorizon 0 allows everything.
func CheckMaxHorizon(maxHorizon time.Duration, c *storage.Client, l Lifetimes) []HorizonViolation {
	var violations []HorizonViolation
	for _, r := range []DeclaredBound{declaredTokenBound(c, l), declaredClientSessionBound(c, l)} {
		switch {
		case maxHorizon <= 0 || !r.Applies:
		case r.Unknown:
			violations = append(
				violations,
				HorizonViolation{
					Client:    c.ClientID,
					BoundBy:   r.BoundBy,
					Setting:   settingFor(r.BoundBy),
					Unbounded: true,
				},
			)
		case r.Limit > maxHorizon:
			violations = append(
				violations,
				HorizonViolation{
					Client:  c.ClientID,
					BoundBy: r.BoundBy,
					Setting: settingFor(r.BoundBy),
					Limit:   r.Limit,
					Excess:  r.Limit - maxHorizon,
				},
			)
		}
	}
	return violations
}
