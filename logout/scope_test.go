package logout

import (
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestScopeSelectsTheClientSessionTheSessionOrAllSessions(t *testing.T) {
	session := &storage.Session{ID: "s", Subject: "u", ClientSessions: []storage.ClientSession{{Client: "app"}}}
	for scope, want := range map[storage.LogoutScope]storage.Selector{
		storage.ScopeClient:  {Sessions: []storage.SessionID{"s"}, Client: "app"},
		storage.ScopeSession: {Sessions: []storage.SessionID{"s"}},
		storage.ScopeAll:     {Subject: "u"},
	} {
		got := SelectorForScope(scope, session, "app")
		if !slices.Equal(got.Sessions, want.Sessions) || got.Client != want.Client || got.Subject != want.Subject ||
			got.AllUsers ||
			got.IncludeOffline {
			t.Errorf("%s: got %+v, want %+v", scope, got, want)
		}
	}
}

func TestUserMayChooseTheClientScopeOnlyForAClientOfTheSession(t *testing.T) {
	session := &storage.Session{ID: "s", ClientSessions: []storage.ClientSession{{Client: "app"}}}
	for _, c := range []struct {
		preferred storage.LogoutScope
		client    string
		want      []storage.LogoutScope
	}{
		{
			preferred: storage.ScopeSession,
			client:    "app",
			want:      []storage.LogoutScope{storage.ScopeSession, storage.ScopeAll, storage.ScopeClient},
		},
		{
			preferred: storage.ScopeAll,
			client:    "app",
			want:      []storage.LogoutScope{storage.ScopeAll, storage.ScopeSession, storage.ScopeClient},
		},
		{
			preferred: storage.ScopeClient,
			client:    "app",
			want:      []storage.LogoutScope{storage.ScopeClient, storage.ScopeSession, storage.ScopeAll},
		},
		{
			preferred: storage.ScopeClient,
			client:    "other",
			want:      []storage.LogoutScope{storage.ScopeSession, storage.ScopeAll},
		},
		{
			preferred: storage.ScopeAll,
			want:      []storage.LogoutScope{storage.ScopeAll, storage.ScopeSession},
		},
	} {
		if got := ScopeChoices(c.preferred, session, c.client); !slices.Equal(got, c.want) {
			t.Errorf("%s for %q: got %q, want %q", c.preferred, c.client, got, c.want)
		}
	}
}

func TestOfSeveralClientSessionsTheLeastCertainOneIsShown(t *testing.T) {
	entry := func(trust storage.TrustState) storage.Report {
		return storage.Report{Entries: []storage.ReportEntry{
			{Kind: KindAccessTokens, Client: "app", Trust: storage.TrustUnknown},
			{Kind: KindClientSession, Client: "app", Trust: trust, ExpiresAt: t0.Add(time.Minute)},
		}}
	}
	reports := []storage.Report{
		entry(storage.TrustConfirmed),
		entry(storage.TrustNotified),
		entry(storage.TrustExpiring),
	}
	got := WeakestClientSessions(nil, reports, t0)
	if len(got) != 1 || got[0].Trust != storage.TrustNotified {
		t.Errorf("got %+v, want one entry, notified", got)
	}
	if got := WeakestClientSessions(nil, []storage.Report{entry(storage.TrustExpiring)}, t0.Add(time.Hour)); got[0].Trust != storage.TrustRevoked {
		t.Errorf("after its bound: got %s, want revoked", got[0].Trust)
	}
}
