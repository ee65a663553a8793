package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// chain.go composes the trust horizon over a chain of providers: the session at the upstream, the session here that
// came from it, and the client sessions and tokens that came from this one. Each provider of a chain that sends
// session_expiry limits the next one's session, so the bound holds from whichever upstream the logout starts.

// The values of ChainHorizon.BoundBy, besides BoundBySessionExpiry: the upstream's session_expiry claim.
const BoundBySessionLifetime = "session_lifetime" // the absolute lifetime of the session here

// ChainHorizon says until when anything of a chain may be trusted, although no notification arrives and the user does
// not sign in again.
type ChainHorizon struct {
	SessionEndsAt time.Time `json:"session_ends_at"`         // the end of the session here, at the latest
	BoundBy       string    `json:"bound_by"`                // the rule from which SessionEndsAt follows
	ExpiresAt     time.Time `json:"expires_at"`              // when the last part that has a bound expires
	UnknownNames  []string  `json:"unknown_names,omitempty"` // names of the upstreams and clients without a bound
}

// merge returns the horizon of two chains together. Either may be nil.
func (c *ChainHorizon) merge(other *ChainHorizon) *ChainHorizon {
	if c == nil || other == nil {
		if c == nil {
			return other
		}
		return c
	}
	merged := *c
	if other.SessionEndsAt.After(c.SessionEndsAt) {
		merged.SessionEndsAt = other.SessionEndsAt
		merged.BoundBy = other.BoundBy
	}
	merged.ExpiresAt = latest(c.ExpiresAt, other.ExpiresAt)
	merged.UnknownNames = appendNew(slices.Clone(c.UnknownNames), other.UnknownNames...)
	return &merged
}

// equal reports whether two chains say the same. Either may be nil.
func (c *ChainHorizon) equal(other *ChainHorizon) bool {
	if c == nil || other == nil {
		return c == other
	}
	sameTimes := c.SessionEndsAt.Equal(other.SessionEndsAt) && c.ExpiresAt.Equal(other.ExpiresAt)
	return sameTimes && c.BoundBy == other.BoundBy && slices.Equal(c.UnknownNames, other.UnknownNames)
}

// previewChain returns the horizon for the case that the session at the upstream ends now and its logout token is lost:
// the session here lasts until it expires, and its clients get tokens until then. It returns nil for a session that
// came from no upstream. estimate is that of the session.
func previewChain(
	s storage.Session,
	clients map[string]*storage.Client,
	estimate Estimate,
	lifetimes Lifetimes,
) *ChainHorizon {
	if s.Upstream.IsZero() {
		return nil
	}
	chain := &ChainHorizon{SessionEndsAt: s.Expires, BoundBy: BoundBySessionLifetime}
	if s.Expires.Equal(s.Upstream.Expires) {
		chain.BoundBy = BoundBySessionExpiry
	}
	chain.ExpiresAt = latest(s.Expires, latest(estimate.Tokens.ExpiresAt, estimate.Clients.ExpiresAt))
	chain.UnknownNames = appendNew(chain.UnknownNames, estimate.Tokens.UnknownNames...)
	chain.UnknownNames = appendNew(chain.UnknownNames, estimate.Clients.UnknownNames...)
	for _, cs := range s.ClientSessions {
		c := clients[cs.Client]
		if c == nil {
			chain.UnknownNames = appendNew(chain.UnknownNames, cs.Client)
			continue
		}
		for _, bound := range []DeclaredBound{declaredTokenBound(c, lifetimes), declaredClientSessionBound(c, lifetimes)} {
			switch {
			case !bound.Applies:
			case bound.Unknown:
				chain.UnknownNames = appendNew(chain.UnknownNames, clientName(c))
			default:
				chain.ExpiresAt = latest(chain.ExpiresAt, s.Expires.Add(bound.Limit))
			}
		}
	}
	return chain
}

// reportChain returns the horizon after a termination here: that of all parts of an estimate together. It returns nil
// if the session came from no upstream.
func reportChain(e Estimate, endedAt time.Time) *ChainHorizon {
	if e.Upstream.Entries == 0 {
		return nil
	}
	chain := &ChainHorizon{SessionEndsAt: endedAt, BoundBy: BoundByEnforcement, ExpiresAt: endedAt}
	for _, part := range []HorizonPart{e.Upstream, e.Tokens, e.Clients} {
		chain.ExpiresAt = latest(chain.ExpiresAt, part.ExpiresAt)
		chain.UnknownNames = appendNew(chain.UnknownNames, part.UnknownNames...)
	}
	return chain
}

// upstreamEntry returns the entry for the session at the upstream. Only the upstream's own logout confirms that it is
// over: session_expiry limits the session here, and a user may stay signed in at the upstream.
func upstreamEntry(t storage.Termination) storage.ReportEntry {
	u := t.Session.Upstream
	entry := storage.ReportEntry{
		Kind:       KindUpstreamSession,
		Client:     upstreamParty(u.Provider),
		ClientName: u.Provider,
		Trust:      storage.TrustUnknown,
		BoundBy:    BoundByNothing,
		Delivery:   storage.DeliveryNone,
	}
	switch t.Cause.Reason {
	case storage.ReasonUpstreamLogout:
		entry.Trust = storage.TrustConfirmed
		entry.BoundBy = BoundByUpstream
		entry.NotifiedAt = t.EndedAt
	case storage.ReasonUnlinked: // the account no longer signs anyone in here
		entry.Trust = storage.TrustRevoked
		entry.BoundBy = BoundByEnforcement
	}
	return entry
}

// upstreamParty returns the name of an upstream among the clients of a report, as in storage.Cause.By.
func upstreamParty(provider string) string { return "upstream:" + provider }

// MarkUpstreamNotified returns the change of a report after the browser came back from the upstream's logout endpoint
// (RP-Initiated Logout 1.0 §3). The entry becomes notified, not confirmed: the user may have declined there.
func MarkUpstreamNotified(provider string, at time.Time) func(*storage.Report) {
	return func(r *storage.Report) {
		if entry := r.Entry(KindUpstreamSession, upstreamParty(provider)); entry != nil {
			notified := *entry
			notified.Trust = storage.TrustNotified
			notified.NotifiedAt = at
			*entry = MergeEntry(*entry, notified)
		}
	}
}

// appendNew appends the names that the list does not have yet.
func appendNew(list []string, names ...string) []string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
