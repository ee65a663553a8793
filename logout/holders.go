package logout

import (
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// holders are the rows of everyone who holds trust in what ended: for each client its application and its tokens, and its
// offline access, listed apart.
func holders(e storage.Ended, lifetimes Lifetimes) []storage.Row {
	rows := []storage.Row{}
	for _, m := range e.Session.Members {
		c := e.Clients[m.Client]
		t, held := heldTokens(e, m.Client, lifetimes)
		refreshes := slices.ContainsFunc(e.Offline, func(g storage.Grant) bool { return g.Client == m.Client })
		rows = append(rows, boundApplication(newRow(KindApplication, m.Client, c), t, c, refreshes, e.At))
		if held {
			rows = append(rows, boundTokens(newRow(KindTokens, m.Client, c), t, c, e.At))
		}
	}
	for _, g := range e.Grants {
		if e.Session.Member(g.Client) == nil && !hasRow(rows, KindTokens, g.Client) {
			t, _ := heldTokens(e, g.Client, lifetimes)
			rows = append(rows, boundTokens(newRow(KindTokens, g.Client, e.Clients[g.Client]), t, e.Clients[g.Client], e.At))
		}
	}
	return append(rows, offlineRows(e)...)
}

// offlineRows lists offline access once for each client: closed if it ended, unknown if any of it lives on.
func offlineRows(e storage.Ended) []storage.Row {
	var rows []storage.Row
	add := func(grants []storage.Grant, trust storage.TrustState, basis string) {
		for _, g := range grants {
			if g.Offline() && !hasRow(rows, KindOffline, g.Client) {
				row := newRow(KindOffline, g.Client, e.Clients[g.Client])
				row.Trust, row.Basis = trust, basis
				rows = append(rows, row)
			}
		}
	}
	add(e.Offline, storage.TrustUnknown, BasisOffline)
	add(e.Grants, storage.TrustClosed, BasisEnforced)
	return rows
}

// heldTokens is the latest expiry of every access token that dies for this client, and whether there are any.
func heldTokens(e storage.Ended, client string, lifetimes Lifetimes) (t storage.Trust, held bool) {
	for i := range e.Session.Members { // by index: this is asked for each of many clients, and members and grants are large
		if m := &e.Session.Members[i]; m.Client == client {
			t.Extend(m.Trust)
		}
	}
	for i := range e.Grants {
		g := &e.Grants[i]
		if g.Client != client {
			continue
		}
		held = true
		switch {
		case g.Trust != storage.Trust{}:
			t.Extend(g.Trust)
		case e.Session.Member(client) == nil:
			t.Extend(assumedTrust(*g, e.Clients[client], lifetimes))
		}
	}
	return t, held || !t.Opaque.IsZero() || !t.JWT.IsZero()
}

// assumedTrust is the most that a grant can have given when only the grant ended and what it gave stands with the session.
func assumedTrust(g storage.Grant, c *storage.Client, lifetimes Lifetimes) storage.Trust {
	issued := latest(g.LastUsed, g.Created)
	t := storage.Trust{Opaque: issued.Add(lifetimes.Opaque)}
	// The format may have been changed since the last issue; then both are possible.
	if c == nil || c.AccessTokenFormat == "jwt" || c.Updated.After(issued) {
		t.JWT = issued.Add(lifetimes.JWT)
	}
	return t
}

func newRow(kind, client string, c *storage.Client) storage.Row {
	row := storage.Row{Kind: kind, Client: client, Name: nameOf(client, c), Delivery: storage.DeliveryNone}
	if kind == KindApplication && c != nil {
		row.Channels = channels(c)
	}
	return row
}

// channels are the ways in which a client can be told, the one that answers first.
func channels(c *storage.Client) []string {
	var ch []string
	if c.BackchannelLogoutURI != "" {
		ch = append(ch, BackChannel)
	}
	if c.FrontchannelLogoutURI != "" {
		ch = append(ch, FrontChannel)
	}
	return ch
}

func nameOf(client string, c *storage.Client) string {
	if c != nil && c.ClientName != "" {
		return c.ClientName
	}
	return client
}

func hasRow(rows []storage.Row, kind, client string) bool {
	return (&storage.Report{Rows: rows}).Row(kind, client) != nil
}

// expired tells whether something ended by its own deadline.
func expired(c storage.Cause) bool {
	return c.Reason == storage.ReasonIdle || c.Reason == storage.ReasonAbsolute
}

// canonicalHost is the host:port that deliveries are grouped by, so that spellings of one host share its slots.
func canonicalHost(scheme, hostname, port string) string {
	if port == "" {
		port = "443"
		if strings.EqualFold(scheme, "http") {
			port = "80"
		}
	}
	return strings.TrimSuffix(strings.ToLower(hostname), ".") + ":" + port
}
