package logout

import (
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// reportEntries lists everything that may still trust what ended: for each client its client session and its access
// tokens, and apart from these its offline access. enforcedBy: see [Plan].
func reportEntries(t storage.Termination, lifetimes Lifetimes, enforcedBy time.Time) []storage.ReportEntry {
	entries := []storage.ReportEntry{}
	for _, cs := range t.Session.ClientSessions {
		c := t.Clients[cs.Client]
		expiry, hasTokens := revokedTokenExpiry(t, cs.Client, lifetimes)
		keepsOffline := slices.ContainsFunc(
			t.RemainingOffline,
			func(g storage.Grant) bool { return g.Client == cs.Client },
		)
		entries = append(
			entries,
			boundClientSession(newEntry(KindClientSession, cs.Client, c), expiry, c, keepsOffline, t.EndedAt),
		)
		if hasTokens {
			entries = append(
				entries,
				boundAccessTokens(newEntry(KindAccessTokens, cs.Client, c), expiry, c, t.EndedAt, enforcedBy),
			)
		}
	}
	for _, g := range t.Grants {
		if t.Session.ClientSession(g.Client) == nil && !hasEntry(entries, KindAccessTokens, g.Client) {
			expiry, _ := revokedTokenExpiry(t, g.Client, lifetimes)
			entries = append(
				entries,
				boundAccessTokens(
					newEntry(KindAccessTokens, g.Client, t.Clients[g.Client]),
					expiry,
					t.Clients[g.Client],
					t.EndedAt,
					enforcedBy,
				),
			)
		}
	}
	return append(entries, offlineEntries(t)...)
}

// offlineEntries lists offline access once for each client: revoked if it ended, unknown if any of it remains.
func offlineEntries(t storage.Termination) []storage.ReportEntry {
	var entries []storage.ReportEntry
	addEntries := func(grants []storage.Grant, trust storage.TrustState, boundBy string) {
		for _, g := range grants {
			if g.Offline() && !hasEntry(entries, KindOfflineAccess, g.Client) {
				entry := newEntry(KindOfflineAccess, g.Client, t.Clients[g.Client])
				entry.Trust, entry.BoundBy = trust, boundBy
				entries = append(entries, entry)
			}
		}
	}
	addEntries(t.RemainingOffline, storage.TrustUnknown, BoundByOfflineAccess)
	addEntries(t.Grants, storage.TrustRevoked, BoundByEnforcement)
	return entries
}

// revokedTokenExpiry returns the latest expiry of the access tokens that end for this client, and whether there are
// any.
func revokedTokenExpiry(
	t storage.Termination,
	client string,
	lifetimes Lifetimes,
) (expiry storage.TokenExpiry, ok bool) {
	for i := range t.Session.ClientSessions { // by index: this is asked for each of many clients, and members and grants are large
		if cs := &t.Session.ClientSessions[i]; cs.Client == client {
			expiry.Extend(cs.TokenExpiry)
		}
	}
	for i := range t.Grants {
		g := &t.Grants[i]
		if g.Client != client {
			continue
		}
		ok = true
		switch {
		case g.Trust != storage.TokenExpiry{}:
			expiry.Extend(g.Trust)
		case t.Session.ClientSession(client) == nil:
			expiry.Extend(assumedTokenExpiry(*g, t.Clients[client], lifetimes))
		}
	}
	return expiry, ok || !expiry.Opaque.IsZero() || !expiry.JWT.IsZero()
}

// assumedTokenExpiry returns the latest expiry that tokens of a grant can have, where only the grant ended and the
// expiry of its tokens is recorded with the client session.
func assumedTokenExpiry(g storage.Grant, c *storage.Client, lifetimes Lifetimes) storage.TokenExpiry {
	lastIssued := latest(g.LastUsed, g.Created)
	expiry := storage.TokenExpiry{Opaque: lastIssued.Add(lifetimes.Opaque)}
	// The format may have been changed since the last issue; then both are possible.
	if c == nil || c.UsesJWTAccessTokens() || c.Updated.After(lastIssued) {
		expiry.JWT = lastIssued.Add(lifetimes.JWT)
	}
	return expiry
}

func newEntry(kind, client string, c *storage.Client) storage.ReportEntry {
	entry := storage.ReportEntry{
		Kind:     kind,
		Client:   client,
		Name:     displayName(client, c),
		Delivery: storage.DeliveryNone,
	}
	if kind == KindClientSession && c != nil {
		entry.Channels = logoutChannels(c)
	}
	return entry
}

// logoutChannels returns the channels by which a client can be notified, the back channel first.
func logoutChannels(c *storage.Client) []string {
	var ch []string
	if c.BackchannelLogoutURI != "" {
		ch = append(ch, BackChannel)
	}
	if c.FrontchannelLogoutURI != "" {
		ch = append(ch, FrontChannel)
	}
	return ch
}

func displayName(client string, c *storage.Client) string {
	if c != nil && c.ClientName != "" {
		return c.ClientName
	}
	return client
}

func hasEntry(entries []storage.ReportEntry, kind, client string) bool {
	return (&storage.Report{Entries: entries}).Entry(kind, client) != nil
}

// isExpiry reports whether something ended by its own deadline.
func isExpiry(c storage.Cause) bool {
	return c.Reason == storage.ReasonIdle || c.Reason == storage.ReasonAbsolute
}

// canonicalHost returns the host:port that deliveries are grouped by, the same for all spellings of a host.
func canonicalHost(scheme, hostname, port string) string {
	if port == "" {
		port = "443"
		if strings.EqualFold(scheme, "http") {
			port = "80"
		}
	}
	return strings.TrimSuffix(strings.ToLower(hostname), ".") + ":" + port
}
