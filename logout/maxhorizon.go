package logout

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DeclaredBound is the longest time for which one kind of report entry can stay trusted after a session ends. It
// follows from the client's metadata and the configured lifetimes.
type DeclaredBound struct {
	Applies bool          `json:"applies"` // the client can have entries of this kind
	Limit   time.Duration `json:"limit"`   // 0: not trusted at all
	Unknown bool          `json:"unknown"` // there is no bound
	BoundBy string        `json:"bound_by,omitempty"`
}

// declaredTokenBound returns how long resource servers may accept access tokens of c after a session ends.
func declaredTokenBound(c *storage.Client, l Lifetimes) DeclaredBound {
	bound := DeclaredBound{Applies: true, BoundBy: BoundByEnforcement}
	if cache := seconds(c.IntrospectionCache); cache > 0 {
		bound.Limit = min(AnswerAllowance+cache, l.Opaque+clockSkew(c))
		bound.BoundBy = BoundByIntrospectionCache
	}
	if jwtLimit := l.JWT + clockSkew(c); c.UsesJWTAccessTokens() && jwtLimit > bound.Limit {
		bound.Limit = jwtLimit
		bound.BoundBy = BoundByAccessTokenExp
	}
	return bound
}

// declaredClientSessionBound returns how long the client's own session can last if the client gets no logout token.
func declaredClientSessionBound(c *storage.Client, l Lifetimes) DeclaredBound {
	if !c.CanJoinSession() {
		return DeclaredBound{}
	}
	bound := DeclaredBound{Applies: true, Unknown: true, BoundBy: BoundByNothing}
	tighten := func(limit time.Duration, boundBy string) {
		limit += clockSkew(c)
		if bound.Unknown || limit < bound.Limit {
			bound.Limit = limit
			bound.Unknown = false
			bound.BoundBy = boundBy
		}
	}
	if expiry := seconds(c.SessionExpiry); expiry > 0 {
		if l.Session > 0 {
			expiry = min(expiry, l.Session)
		}
		tighten(expiry, BoundBySessionExpiry)
	}
	// A client with offline access can get new tokens after the session. session_with_tokens then bounds nothing.
	if c.SessionWithTokens && !c.MayHoldOfflineAccess() {
		lifetime := l.Opaque
		if c.UsesJWTAccessTokens() {
			lifetime = l.JWT
		}
		tighten(lifetime, BoundBySessionWithTokens)
	}
	return bound
}

// HorizonViolation is the error for a client whose trust horizon is longer than max_trust_horizon.
type HorizonViolation struct {
	Client    string        `json:"client"`
	BoundBy   string        `json:"bound_by"` // the rule whose bound is too long; BoundByNothing: there is no bound
	Setting   string        `json:"setting"`
	Limit     time.Duration `json:"limit,omitempty"`
	Excess    time.Duration `json:"excess,omitempty"` // Limit minus max_trust_horizon; 0 if there is no bound
	Unbounded bool          `json:"unbounded,omitempty"`
}

// Error names the rule, the excess, and the setting to change.
func (v HorizonViolation) Error() string {
	if v.Unbounded {
		return fmt.Sprintf(
			"client %s: its session after a logout has no bound; max_trust_horizon asks for one: %s",
			v.Client,
			v.Setting,
		)
	}
	return fmt.Sprintf(
		"client %s: %s allows %s after a logout, %s more than max_trust_horizon; shorten %s",
		v.Client,
		v.BoundBy,
		v.Limit,
		v.Excess,
		v.Setting,
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

// CheckMaxHorizon compares a client's trust horizon with max_trust_horizon and returns the violations. 0 allows
// everything.
func CheckMaxHorizon(maxHorizon time.Duration, c *storage.Client, l Lifetimes) []HorizonViolation {
	if maxHorizon <= 0 {
		return nil
	}
	var violations []HorizonViolation
	for _, bound := range []DeclaredBound{declaredTokenBound(c, l), declaredClientSessionBound(c, l)} {
		violation := HorizonViolation{
			Client:  c.ClientID,
			BoundBy: bound.BoundBy,
			Setting: settingFor(bound.BoundBy),
		}
		switch {
		case !bound.Applies:
			continue
		case bound.Unknown:
			violation.Unbounded = true
		case bound.Limit > maxHorizon:
			violation.Limit = bound.Limit
			violation.Excess = bound.Limit - maxHorizon
		default:
			continue
		}
		violations = append(violations, violation)
	}
	return violations
}
