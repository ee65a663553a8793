package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The values of ReportEntry.BoundBy: the rule that an entry's bound follows from.
const (
	BoundByEnforcement        = "enforced"            // every use asks the OP
	BoundByIntrospectionCache = "introspection_cache" // resource servers cache introspection answers (RFC 7662 §4)
	BoundByAccessTokenExp     = "access_token_exp"    // resource servers check tokens without asking (RFC 9068)
	BoundBySessionExpiry      = "session_expiry"      // the client ends its session at the session_expiry claim
	BoundBySessionWithTokens  = "session_with_tokens" // the client's session ends with its access token
	BoundByNothing            = "none"                // the client declared no bound
	BoundByOfflineAccess      = "offline_access"      // offline access is not part of the session (Core §11)
)

// DefaultClockSkew is how far the clock of a relying party that declared no clock_skew may be off.
const DefaultClockSkew = time.Minute

// AnswerAllowance is how long an introspection answer may be under way: from the read of the store to the resource
// server, which starts the time of its cache when the answer arrives.
const AnswerAllowance = time.Second

// Lifetimes are the longest lifetimes of the deployment that bounds depend on.
type Lifetimes struct {
	Opaque  time.Duration // of opaque access tokens
	JWT     time.Duration // of JWT access tokens
	Session time.Duration // of sessions
}

func clockSkew(c *storage.Client) time.Duration {
	if c == nil || c.ClockSkew == nil {
		return DefaultClockSkew
	}
	return time.Duration(*c.ClockSkew) * time.Second
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// boundAccessTokens returns entry with the bound of a client's access tokens. enforcedBy: see [Plan].
func boundAccessTokens(
	entry storage.ReportEntry,
	expiry storage.TokenExpiry,
	c *storage.Client,
	endedAt, enforcedBy time.Time,
) storage.ReportEntry {
	entry.Trust, entry.BoundBy = storage.TrustRevoked, BoundByEnforcement
	entry = extendBound(entry, introspectionCachedUntil(expiry, c, enforcedBy), endedAt, BoundByIntrospectionCache)
	if !expiry.JWT.IsZero() {
		entry = extendBound(entry, expiry.JWT.Add(clockSkew(c)), endedAt, BoundByAccessTokenExp)
	}
	return entry
}

// introspectionCachedUntil returns when the last cached introspection answer about the client's opaque tokens is
// discarded; zero if none is cached. RFC 7662 §4: no answer is used beyond the token's own expiry. As long as
// enforcedBy is not known, that is the only bound.
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

// boundClientSession returns entry with the bound of a client's own session, if no logout token reaches it, by what
// the client declared. If it declared several means, the first of them that ends the session counts. A client that
// keeps offline access can go on getting the tokens that its session may be tied to.
func boundClientSession(
	entry storage.ReportEntry,
	expiry storage.TokenExpiry,
	c *storage.Client,
	keepsOffline bool,
	endedAt time.Time,
) storage.ReportEntry {
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

// extendBound moves the bound of entry to until, if that is later and lies after the end.
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
