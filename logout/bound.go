package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// What a bound rests on, as it stands in Row.Basis.
const (
	BasisEnforced = "enforced"            // every use asks the OP
	BasisCache    = "introspection_cache" // resource servers keep an introspection answer
	BasisJWT      = "access_token_exp"    // resource servers check tokens by themselves
	BasisLease    = "session_expiry"      // the session_expiry claim
	BasisTokens   = "session_with_tokens" // the application's session ends with its access token
	BasisNone     = "none"                // nothing was declared
	BasisOffline  = "offline_access"      // not part of the session (Core §11)
)

// DefaultClockSkew is how far a relying party's clock may be off unless it declared otherwise.
const DefaultClockSkew = time.Minute

// Visibility is the time from reading the clock for an ending to its commit, allowed for wherever a holder's own clock starts
// with an answer of ours: a resource server may have introspected a token after t0 was read and before the ending was durable.
// Where a commit takes longer its bounds are corrected before the ending is acknowledged.
const Visibility = time.Second

// Lifetimes are the deployment's, as far as bounds depend on them.
type Lifetimes struct {
	Opaque   time.Duration // of opaque access tokens
	JWT      time.Duration // of JWT access tokens
	Absolute time.Duration // of sessions, the longest one
}

func skew(c *storage.Client) time.Duration {
	if c == nil || c.ClockSkew == nil {
		return DefaultClockSkew
	}
	return time.Duration(*c.ClockSkew) * time.Second
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// boundTokens is how long a client's access tokens may still be accepted after the session ended at that moment.
func boundTokens(row storage.Row, t storage.Trust, c *storage.Client, at time.Time) storage.Row {
	row.Trust, row.Basis = storage.TrustClosed, BasisEnforced
	if c != nil && c.IntrospectionCache > 0 {
		// RFC 7662 §4: a cached answer is not used beyond the token's own expiry.
		cached := earlier(at.Add(Visibility+seconds(c.IntrospectionCache)), t.Opaque.Add(skew(c)))
		row = later(row, cached, at, BasisCache)
	}
	if !t.JWT.IsZero() {
		row = later(row, t.JWT.Add(skew(c)), at, BasisJWT)
	}
	return row
}

// boundApplication is how long an application's own session may live if it hears nothing, by what the client declared.
// Declared means are alternatives to each other: the session is over when the first of them ends it. refreshes says that the
// client keeps offline access, with which it can go on getting the tokens that its session may be tied to.
func boundApplication(row storage.Row, t storage.Trust, c *storage.Client, refreshes bool, at time.Time) storage.Row {
	row.Trust, row.Basis = storage.TrustUnknown, BasisNone
	if c == nil {
		return row
	}
	bound := func(until time.Time, basis string) {
		until = until.Add(skew(c))
		if row.Until.IsZero() || until.Before(row.Until) {
			row.Until, row.Basis = until, basis
		}
	}
	if c.SessionExpiry > 0 && !t.Lease.IsZero() {
		bound(t.Lease, BasisLease)
	}
	if tokens := latest(t.Opaque, t.JWT); c.SessionWithTokens && !refreshes && !tokens.IsZero() {
		bound(tokens, BasisTokens)
	}
	if !row.Until.IsZero() {
		row.Trust = storage.TrustBounded
	}
	return RowAt(row, at)
}

// later extends what row promises to until, if that still lies ahead.
func later(row storage.Row, until, at time.Time, basis string) storage.Row {
	if until.After(at) && until.After(row.Until) {
		row.Trust, row.Until, row.Basis = storage.TrustBounded, until, basis
	}
	return row
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
