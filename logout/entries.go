package logout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// reportEntries returns the entries of a report. Each client of the termination has up to three: its client session,
// its access tokens, and its offline access. A session that came from an upstream has one for the session there.
// For enforcedBy see [Plan].
func reportEntries(t storage.Termination, lifetimes Lifetimes, enforcedBy time.Time) []storage.ReportEntry {
	entries := []storage.ReportEntry{}
	for _, cs := range t.Session.ClientSessions {
		c := t.Clients[cs.Client]
		expiry, hasTokens := revokedTokenExpiry(t, cs.Client, lifetimes)
		keepsOffline := slices.ContainsFunc(
			t.RemainingOffline,
			func(g storage.Grant) bool { return g.Client == cs.Client },
		)
		session := newEntry(KindClientSession, cs.Client, c)
		entries = append(entries, boundClientSession(session, expiry, c, keepsOffline, t.EndedAt))
		if hasTokens {
			tokens := newEntry(KindAccessTokens, cs.Client, c)
			entries = append(entries, boundAccessTokens(tokens, expiry, c, t.EndedAt, enforcedBy))
		}
	}
	for _, g := range t.Grants {
		if t.Session.ClientSession(g.Client) != nil || hasEntry(entries, KindAccessTokens, g.Client) {
			continue
		}
		c := t.Clients[g.Client]
		expiry, _ := revokedTokenExpiry(t, g.Client, lifetimes)
		tokens := newEntry(KindAccessTokens, g.Client, c)
		entries = append(entries, boundAccessTokens(tokens, expiry, c, t.EndedAt, enforcedBy))
	}
	entries = append(entries, offlineEntries(t)...)
	if t.WholeSession && !t.Session.Upstream.IsZero() {
		entries = append(entries, upstreamEntry(t))
	}
	return entries
}

// offlineEntries returns one entry for each client with offline access: unknown if offline access remains, otherwise
// revoked.
func offlineEntries(t storage.Termination) []storage.ReportEntry {
	var entries []storage.ReportEntry
	addEntries := func(grants []storage.Grant, trust storage.TrustState, boundBy string) {
		for _, g := range grants {
			if g.Offline() && !hasEntry(entries, KindOfflineAccess, g.Client) {
				entry := newEntry(KindOfflineAccess, g.Client, t.Clients[g.Client])
				entry.Trust = trust
				entry.BoundBy = boundBy
				entries = append(entries, entry)
			}
		}
	}
	addEntries(t.RemainingOffline, storage.TrustUnknown, BoundByOfflineAccess)
	addEntries(t.Grants, storage.TrustRevoked, BoundByEnforcement)
	return entries
}

// revokedTokenExpiry returns the latest expiry of a client's tokens that the termination revokes. hasTokens reports
// whether there are access tokens. It takes elements by index, because it runs once for each client and grants are
// large.
func revokedTokenExpiry(
	t storage.Termination,
	client string,
	lifetimes Lifetimes,
) (expiry storage.TokenExpiry, hasTokens bool) {
	for i := range t.Session.ClientSessions {
		if cs := &t.Session.ClientSessions[i]; cs.Client == client {
			expiry.Extend(cs.TokenExpiry)
		}
	}
	hasGrant := false
	for i := range t.Grants {
		g := &t.Grants[i]
		if g.Client != client {
			continue
		}
		hasGrant = true
		switch {
		case g.Trust != storage.TokenExpiry{}:
			expiry.Extend(g.Trust)
		case t.Session.ClientSession(client) == nil:
			expiry.Extend(assumedTokenExpiry(*g, t.Clients[client], lifetimes))
		}
	}
	return expiry, hasGrant || !expiry.Opaque.IsZero() || !expiry.JWT.IsZero()
}

// assumedTokenExpiry returns the latest expiry that the tokens of a grant can have. It is for a grant that ended alone
// and has no recorded expiry.
func assumedTokenExpiry(g storage.Grant, c *storage.Client, lifetimes Lifetimes) storage.TokenExpiry {
	lastIssued := latest(g.LastUsed, g.Created)
	expiry := storage.TokenExpiry{Opaque: lastIssued.Add(lifetimes.Opaque)}
	// If the client was changed after the last issue, its access token format may have been changed too.
	if c == nil || c.UsesJWTAccessTokens() || c.Updated.After(lastIssued) {
		expiry.JWT = lastIssued.Add(lifetimes.JWT)
	}
	return expiry
}

// newEntry returns an entry without a bound. c is nil if the client was removed.
func newEntry(kind, client string, c *storage.Client) storage.ReportEntry {
	entry := storage.ReportEntry{
		Kind:       kind,
		Client:     client,
		ClientName: client,
		Delivery:   storage.DeliveryNone,
	}
	if c == nil {
		return entry
	}
	entry.ClientName = clientName(c)
	if kind == KindClientSession {
		entry.Channels = logoutChannels(c)
	}
	return entry
}

// logoutChannels returns the channels by which a client can be notified, the back channel first.
func logoutChannels(c *storage.Client) []string {
	var channels []string
	if c.BackchannelLogoutURI != "" {
		channels = append(channels, BackChannel)
	}
	if c.FrontchannelLogoutURI != "" {
		channels = append(channels, FrontChannel)
	}
	return channels
}

// clientName returns the registered name of a client, or its id if it has none.
func clientName(c *storage.Client) string { return cmp.Or(c.ClientName, c.ClientID) }

func hasEntry(entries []storage.ReportEntry, kind, client string) bool {
	return (&storage.Report{Entries: entries}).Entry(kind, client) != nil
}

// isExpiry reports whether a session ended because it expired.
func isExpiry(c storage.Cause) bool {
	return c.Reason == storage.ReasonIdle || c.Reason == storage.ReasonAbsolute
}

// canonicalHost returns the host:port by which deliveries are grouped. It is the same for all ways to write a host.
func canonicalHost(scheme, hostname, port string) string {
	if port == "" {
		port = "443"
		if strings.EqualFold(scheme, "http") {
			port = "80"
		}
	}
	return strings.TrimSuffix(strings.ToLower(hostname), ".") + ":" + port
}
