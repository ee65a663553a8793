package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// What a bound rests on, as it stands in Row.Basis.
const (
	BoundByEnforcement        = "enforced"            // every use asks the OP
	BoundByIntrospectionCache = "introspection_cache" // resource servers keep an introspection answer
	BoundByAccessTokenExp     = "access_token_exp"    // resource servers check tokens by themselves
	BoundBySessionExpiry      = "session_expiry"      // the session_expiry claim
	BoundBySessionWithTokens  = "session_with_tokens" // the application's session ends with its access token
	BoundByNothing            = "none"                // nothing was declared
	BoundByOfflineAccess      = "offline_access"      // not part of the session (Core §11)
)

// DefaultClockSkew is how far a relying party's clock may be off unless it declared otherwise.
const DefaultClockSkew = time.Minute

// CommitAllowance is the time from reading the clock for an ending to its commit, allowed for wherever a holder's own clock starts
// with an answer of ours: a resource server may have introspected a token after t0 was read and before the ending was durable.
// Where a commit takes longer its bounds are corrected before the ending is acknowledged.
const CommitAllowance = time.Second

// Lifetimes are the deployment's, as far as bounds depend on them.
type Lifetimes struct {
	Opaque  time.Duration // of opaque access tokens
	JWT     time.Duration // of JWT access tokens
	Session time.Duration // of sessions, the longest one
}

func clockSkew(c *storage.Client) time.Duration {
	if c == nil || c.ClockSkew == nil {
		return DefaultClockSkew
	}
	return time.Duration(*c.ClockSkew) * time.Second
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// boundAccessTokens is how long a client's access tokens may still be accepted after the session ended at that moment.
func boundAccessTokens(entry storage.ReportEntry, expiry storage.TokenExpiry, c *storage.Client, endedAt time.Time) storage.ReportEntry {
	entry.Trust, entry.BoundBy = storage.TrustRevoked, BoundByEnforcement
	if c != nil && c.IntrospectionCache > 0 {
		// RFC 7662 §4: a cached answer is not used beyond the token's own expiry.
		cachedUntil := earliest(endedAt.Add(CommitAllowance+seconds(c.IntrospectionCache)), expiry.Opaque.Add(clockSkew(c)))
		entry = extendBound(entry, cachedUntil, endedAt, BoundByIntrospectionCache)
	}
	if !expiry.JWT.IsZero() {
		entry = extendBound(entry, expiry.JWT.Add(clockSkew(c)), endedAt, BoundByAccessTokenExp)
	}
	return entry
}

// boundClientSession is how long an application's own session may live if it hears nothing, by what the client declared.
// Declared means are alternatives to each other: the session is over when the first of them ends it. refreshes says that the
// client keeps offline access, with which it can go on getting the tokens that its session may be tied to.
func boundClientSession(entry storage.ReportEntry, expiry storage.TokenExpiry, c *storage.Client, keepsOffline bool, endedAt time.Time) storage.ReportEntry {
	entry.Trust, entry.BoundBy = storage.TrustUnknown, BoundByNothing
	if c == nil {
		return entry
	}
	tighten := func(until time.Time, boundBy string) {
		until = until.Add(clockSkew(c))
		if entry.ExpiresAt.IsZero() || until.Before(entry.ExpiresAt) {
			entry.ExpiresAt, entry.BoundBy = until, boundBy
		}
	}
	if c.SessionExpiry > 0 && !expiry.SessionExpiry.IsZero() {
		tighten(expiry.SessionExpiry, BoundBySessionExpiry)
	}
	if tokens := latest(expiry.Opaque, expiry.JWT); c.SessionWithTokens && !keepsOffline && !tokens.IsZero() {
		tighten(tokens, BoundBySessionWithTokens)
	}
	if !entry.ExpiresAt.IsZero() {
		entry.Trust = storage.TrustExpiring
	}
	return EntryAt(entry, endedAt)
}

// extendBound extends what row promises to until, if that still lies ahead.
func extendBound(entry storage.ReportEntry, until, endedAt time.Time, boundBy string) storage.ReportEntry {
	if until.After(endedAt) && until.After(entry.ExpiresAt) {
		entry.Trust, entry.ExpiresAt, entry.BoundBy = storage.TrustExpiring, until, boundBy
	}
	return entry
}

func earliest(a, b time.Time) time.Time {
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
