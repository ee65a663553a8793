package logout

import (
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// chainSession returns a session that came from an upstream, with one client session.
func chainSession(at time.Time, client string) storage.Session {
	return storage.Session{
		ID:             "s",
		Subject:        "sub-alice",
		Expires:        at.Add(time.Hour),
		ClientSessions: []storage.ClientSession{{Client: client, SID: "sid", Joined: at}},
		Upstream:       storage.UpstreamSession{Provider: "acme", Issuer: "https://acme.example", Subject: "1"},
	}
}

// TestChainHorizonAddsTheClientsToTheSessionHere: a lost logout token of the upstream leaves the session here until it
// expires, and each client for its own bound after that.
func TestChainHorizonAddsTheClientsToTheSessionHere(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	bounded := &storage.Client{Metadata: storage.Metadata{
		ClientID:      "shop",
		GrantTypes:    []string{"authorization_code"},
		ResponseTypes: []string{"code"},
		SessionExpiry: 600,
	}}
	unbounded := &storage.Client{Metadata: bounded.Metadata}
	unbounded.SessionExpiry = 0
	lifetimes := Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Session: 24 * time.Hour}
	for _, c := range []struct {
		name    string
		client  *storage.Client
		expiry  time.Duration // session_expiry of the upstream; 0: none
		ends    time.Duration
		boundBy string
		expires time.Duration
		unknown []string
	}{
		{"lifetime", bounded, 0, time.Hour, BoundBySessionLifetime, time.Hour + 11*time.Minute, nil},
		{"session_expiry", bounded, time.Hour, time.Hour, BoundBySessionExpiry, time.Hour + 11*time.Minute, nil},
		{"unbounded client", unbounded, 0, time.Hour, BoundBySessionLifetime, time.Hour, []string{"shop"}},
	} {
		s := chainSession(at, "shop")
		s.ClientSessions[0].SessionExpiry = at.Add(10 * time.Minute)
		if c.expiry > 0 {
			s.Upstream.Expires = at.Add(c.expiry)
		}
		clients := map[string]*storage.Client{"shop": c.client}
		e := PreviewHorizon(s, clients, nil, at, PreviewOptions{Lifetimes: lifetimes})
		want := &ChainHorizon{at.Add(c.ends), c.boundBy, at.Add(c.expires), c.unknown}
		if !e.Chain.equal(want) {
			t.Errorf("%s: got %+v, want %+v", c.name, e.Chain, want)
		}
		if e.Upstream.Unknown != 1 || !slices.Equal(e.Upstream.UnknownNames, []string{"acme"}) {
			t.Errorf("%s: got %+v, want the session at acme unknown", c.name, e.Upstream)
		}
		merged := MergeEstimates(at, e, PreviewHorizon(storage.Session{ID: "other"}, nil, nil, at, PreviewOptions{}))
		if !merged.Chain.equal(want) {
			t.Errorf("%s: got %+v for two sessions, want the chain of the one with an upstream", c.name, merged.Chain)
		}
	}
}

// TestOnlyTheUpstreamConfirmsTheEndOfItsSession holds each reason to the state of the session at the upstream.
func TestOnlyTheUpstreamConfirmsTheEndOfItsSession(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for reason, want := range map[storage.Reason]storage.TrustState{
		storage.ReasonUpstreamLogout:  storage.TrustConfirmed,
		storage.ReasonUnlinked:        storage.TrustRevoked,
		storage.ReasonUpstreamExpired: storage.TrustUnknown,
		storage.ReasonLogout:          storage.TrustUnknown,
		storage.ReasonAdmin:           storage.TrustUnknown,
	} {
		termination := storage.Termination{
			Cause:        storage.Cause{ID: "c", Reason: reason, By: "system"},
			EndedAt:      at,
			Session:      chainSession(at, "removed"),
			WholeSession: true,
		}
		report := *Plan(&Terminator{}, termination, at).Report
		e := AssessReport(report, at)
		entry := report.Entry(KindUpstreamSession, "upstream:acme")
		if entry == nil || entry.Trust != want || e.Upstream.Entries != 1 {
			t.Fatalf("%s: got %+v, want the session at acme %s", reason, entry, want)
		}
		isUnknown := slices.Contains(e.Chain.UnknownNames, "acme")
		if isUnknown != (want == storage.TrustUnknown) || !slices.Contains(e.Chain.UnknownNames, "removed") {
			t.Errorf("%s: got %v unknown in the chain", reason, e.Chain.UnknownNames)
		}
		document := NewDocument("https://op.example", report, nil, at)
		faults := slices.DeleteFunc(document.Check(), func(f string) bool { return f == "it names no audit line" })
		if len(faults) > 0 {
			t.Errorf("%s: got the faults %v in the document, want none", reason, faults)
		}
		document.Chain.ExpiresAt = at.Add(-time.Hour)
		if len(document.Check()) < 2 {
			t.Errorf("%s: got no fault for a changed chain", reason)
		}
		MarkUpstreamNotified("acme", at)(&report)
		marked := report.Entry(KindUpstreamSession, "upstream:acme").Trust
		if want == storage.TrustUnknown {
			want = storage.TrustNotified
		}
		if marked != want {
			t.Errorf("%s: got %s after the return from the upstream, want %s", reason, marked, want)
		}
	}
}
