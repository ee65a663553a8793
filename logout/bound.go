package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// bound.go computes the bound of a report entry: the time after which nothing of the entry is trusted any more.

// The values of ReportEntry.BoundBy. Each names the rule from which an entry's bound follows.
const (
	BoundByEnforcement        = "enforced"            // the OP checks every use
	BoundByIntrospectionCache = "introspection_cache" // resource servers cache introspection responses (RFC 7662 §4)
	BoundByAccessTokenExp     = "access_token_exp"    // resource servers validate JWTs by themselves (RFC 9068)
	BoundBySessionExpiry      = "session_expiry"      // the client ends its session at the session_expiry claim
	BoundBySessionWithTokens  = "session_with_tokens" // the client ends its session with its access token
	BoundByUpstream           = "upstream"            // the upstream says that its session is over
	BoundByNothing            = "none"                // there is no bound
	BoundByOfflineAccess      = "offline_access"      // there is no bound: offline access survives the session
)

// DefaultClockSkew is the clock_skew of a client that declares none.
const DefaultClockSkew = time.Minute

// AnswerAllowance is the longest time from the read of the store by the introspection endpoint to the arrival of its
// response at the resource server. The resource server caches the response from then on.
const AnswerAllowance = time.Second

// Lifetimes are the longest lifetimes in the deployment's configuration. Bounds are computed from them.
type Lifetimes struct {
	Opaque  time.Duration // of opaque access tokens
	JWT     time.Duration // of JWT access tokens
	Session time.Duration // of sessions
}

// clockSkew returns the tolerance with which a client, or a resource server that it uses, checks times.
func clockSkew(c *storage.Client) time.Duration {
	if c == nil || c.ClockSkew == nil {
		return DefaultClockSkew
	}
	return time.Duration(*c.ClockSkew) * time.Second
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// boundAccessTokens sets the bound of an entry for a client's access tokens. For enforcedBy see [Plan].
func boundAccessTokens(
	entry storage.ReportEntry,
	expiry storage.TokenExpiry,
	c *storage.Client,
	endedAt, enforcedBy time.Time,
) storage.ReportEntry {
	entry.Trust = storage.TrustRevoked
	entry.BoundBy = BoundByEnforcement
	entry = extendBound(entry, introspectionCachedUntil(expiry, c, enforcedBy), endedAt, BoundByIntrospectionCache)
	if !expiry.JWT.IsZero() {
		entry = extendBound(entry, expiry.JWT.Add(clockSkew(c)), endedAt, BoundByAccessTokenExp)
	}
	return entry
}

// introspectionCachedUntil returns until when a resource server may use a cached introspection response about the
// client's opaque tokens; zero if it caches none. It uses none beyond the expiry of the token (RFC 7662 §4). If
// enforcedBy is zero, that is the only bound.
func introspectionCachedUntil(expiry storage.TokenExpiry, c *storage.Client, enforcedBy time.Time) time.Time {
	if c == nil || expiry.Opaque.IsZero() {
		return time.Time{}
	}
	tokensExpired := expiry.Opaque.Add(clockSkew(c))
	var cachedUntil time.Time
	if !c.IntrospectionCachedUntil.IsZero() {
		cachedUntil = c.IntrospectionCachedUntil.Add(AnswerAllowance)
	}
	if c.IntrospectionCache > 0 {
		if enforcedBy.IsZero() {
			return tokensExpired
		}
		cachedUntil = latest(cachedUntil, enforcedBy.Add(AnswerAllowance+seconds(c.IntrospectionCache)))
	}
	return earliest(cachedUntil, tokensExpired)
}

// boundClientSession sets the bound of an entry for a client's own session, for the case that the client gets no logout
// token. The bound is the earliest of those that the client's metadata declare. session_with_tokens does not count for
// a client that keeps offline access, because such a client can get new tokens.
func boundClientSession(
	entry storage.ReportEntry,
	expiry storage.TokenExpiry,
	c *storage.Client,
	keepsOffline bool,
	endedAt time.Time,
) storage.ReportEntry {
	entry.Trust = storage.TrustUnknown
	entry.BoundBy = BoundByNothing
	if c == nil {
		return entry
	}
	tighten := func(until time.Time, boundBy string) {
		until = until.Add(clockSkew(c))
		if entry.ExpiresAt.IsZero() || until.Before(entry.ExpiresAt) {
			entry.ExpiresAt = until
			entry.BoundBy = boundBy
		}
	}
	if c.SessionExpiry > 0 && !expiry.SessionExpiry.IsZero() {
		tighten(expiry.SessionExpiry, BoundBySessionExpiry)
	}
	tokensExpire := latest(expiry.Opaque, expiry.JWT)
	if c.SessionWithTokens && !keepsOffline && !tokensExpire.IsZero() {
		tighten(tokensExpire, BoundBySessionWithTokens)
	}
	if !entry.ExpiresAt.IsZero() {
		entry.Trust = storage.TrustExpiring
	}
	return EntryAt(entry, endedAt)
}

// extendBound moves the bound of entry to until, if that is later than the present bound and than the termination.
func extendBound(entry storage.ReportEntry, until, endedAt time.Time, boundBy string) storage.ReportEntry {
	if until.After(endedAt) && until.After(entry.ExpiresAt) {
		entry.Trust = storage.TrustExpiring
		entry.ExpiresAt = until
		entry.BoundBy = boundBy
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
