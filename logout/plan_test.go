package logout

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var t0 = time.Date(2026, 11, 21, 10, 2, 13, 0, time.UTC)

// newTermination is a session of one client that joined an hour before it ended at t0.
func newTermination(m storage.Metadata, trust storage.TokenExpiry) storage.Termination {
	m.ClientID = "rp"
	return storage.Termination{
		Cause:        storage.Cause{ID: "cause", Reason: storage.ReasonLogout, By: "user:u"},
		EndedAt:      t0,
		WholeSession: true,
		Session: storage.Session{
			ID:          "s",
			Subject:     "u",
			AuthTime:    t0.Add(-time.Hour),
			IdleTimeout: 8 * time.Hour,
			LastActive:  t0.Add(-time.Hour),
			Expires:     t0.Add(23 * time.Hour),
			ClientSessions: []storage.ClientSession{
				{Client: "rp", SID: "sid", Joined: t0.Add(-time.Hour), TokenExpiry: trust},
			},
		},
		Clients: map[string]*storage.Client{"rp": {Metadata: m}},
		User:    storage.User{Subject: "u"},
	}
}

func mustEntry(t *testing.T, r *storage.Report, kind string) storage.ReportEntry {
	t.Helper()
	entry := r.Entry(kind, "rp")
	if entry == nil {
		t.Fatalf("the report has no %s entry: %+v", kind, r.Entries)
	}
	return *entry
}

func TestPlanIsTheSameWhenMadeTwice(t *testing.T) {
	e := &Terminator{}
	termination := newTermination(
		storage.Metadata{BackchannelLogoutURI: "https://rp.example/bcl"},
		storage.TokenExpiry{Opaque: t0.Add(time.Hour), LastIDToken: t0},
	)
	if a, b := Plan(e, termination, t0), Plan(e, termination, t0); !reflect.DeepEqual(a, b) {
		t.Errorf("got %+v, then %+v", a, b)
	}
}

func TestBoundsOfEachEntryKind(t *testing.T) {
	minute, hour := t0.Add(time.Minute), t0.Add(time.Hour)
	none := 0
	tests := []struct {
		name    string
		meta    storage.Metadata
		trust   storage.TokenExpiry
		kind    string
		want    storage.TrustState
		until   time.Time
		boundBy string
		adjust  func(*storage.Termination)
	}{
		{
			name:    "opaque token, introspected each time",
			trust:   storage.TokenExpiry{Opaque: hour},
			kind:    KindAccessTokens,
			want:    storage.TrustRevoked,
			boundBy: BoundByEnforcement,
		},
		{
			name:    "opaque token, cached answer",
			meta:    storage.Metadata{IntrospectionCache: 30},
			trust:   storage.TokenExpiry{Opaque: hour},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   t0.Add(30*time.Second + AnswerAllowance),
			boundBy: BoundByIntrospectionCache,
		},
		{
			name:    "opaque token that expires before the cached answer",
			meta:    storage.Metadata{IntrospectionCache: 600},
			trust:   storage.TokenExpiry{Opaque: minute},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   minute.Add(DefaultClockSkew),
			boundBy: BoundByIntrospectionCache,
		},
		{
			name:    "JWT",
			trust:   storage.TokenExpiry{JWT: hour},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   hour.Add(DefaultClockSkew),
			boundBy: BoundByAccessTokenExp,
		},
		{
			name:    "JWT, exact clock",
			meta:    storage.Metadata{ClockSkew: &none},
			trust:   storage.TokenExpiry{JWT: hour},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   hour,
			boundBy: BoundByAccessTokenExp,
		},
		{
			name:    "JWT that expired before the end",
			trust:   storage.TokenExpiry{JWT: t0.Add(-time.Hour)},
			kind:    KindAccessTokens,
			want:    storage.TrustRevoked,
			boundBy: BoundByEnforcement,
		},
		{
			name:    "both formats: the later bound",
			meta:    storage.Metadata{IntrospectionCache: 10},
			trust:   storage.TokenExpiry{Opaque: hour, JWT: minute},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   minute.Add(DefaultClockSkew),
			boundBy: BoundByAccessTokenExp,
		},
		{
			name:    "client that declares nothing",
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
		},
		{
			name:    "front channel only",
			meta:    storage.Metadata{FrontchannelLogoutURI: "https://rp.example/fcl"},
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
		},
		{
			name:    "lease",
			meta:    storage.Metadata{SessionExpiry: 900},
			trust:   storage.TokenExpiry{SessionExpiry: minute},
			kind:    KindClientSession,
			want:    storage.TrustExpiring,
			until:   minute.Add(DefaultClockSkew),
			boundBy: BoundBySessionExpiry,
		},
		{
			name:    "lease declared, but never given",
			meta:    storage.Metadata{SessionExpiry: 900},
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
		},
		{
			name:    "lease given, but not declared any more",
			trust:   storage.TokenExpiry{SessionExpiry: minute},
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
		},
		{
			name:    "lease that is over",
			meta:    storage.Metadata{SessionExpiry: 900},
			trust:   storage.TokenExpiry{SessionExpiry: t0.Add(-time.Hour)},
			kind:    KindClientSession,
			want:    storage.TrustRevoked,
			until:   t0.Add(-time.Hour).Add(DefaultClockSkew),
			boundBy: BoundBySessionExpiry,
		},
		{
			name:    "session tied to tokens",
			meta:    storage.Metadata{SessionWithTokens: true},
			trust:   storage.TokenExpiry{Opaque: hour},
			kind:    KindClientSession,
			want:    storage.TrustExpiring,
			until:   hour.Add(DefaultClockSkew),
			boundBy: BoundBySessionWithTokens,
		},
		{
			name:    "session tied to tokens that offline access goes on getting",
			meta:    storage.Metadata{SessionWithTokens: true},
			trust:   storage.TokenExpiry{Opaque: hour},
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
			adjust:  func(e *storage.Termination) { e.RemainingOffline = []storage.Grant{{ID: "g", Client: "rp"}} },
		},
		{
			name:    "the sooner of two means",
			meta:    storage.Metadata{SessionWithTokens: true, SessionExpiry: 900},
			trust:   storage.TokenExpiry{Opaque: hour, SessionExpiry: minute},
			kind:    KindClientSession,
			want:    storage.TrustExpiring,
			until:   minute.Add(DefaultClockSkew),
			boundBy: BoundBySessionExpiry,
		},
		{
			name:    "client already gone",
			trust:   storage.TokenExpiry{JWT: hour, SessionExpiry: minute},
			kind:    KindClientSession,
			want:    storage.TrustUnknown,
			boundBy: BoundByNothing,
			adjust:  func(e *storage.Termination) { e.Clients = nil },
		},
		{
			name:    "tokens of a client already gone",
			trust:   storage.TokenExpiry{JWT: hour},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   hour.Add(DefaultClockSkew),
			boundBy: BoundByAccessTokenExp,
			adjust:  func(e *storage.Termination) { e.Clients = nil },
		},
		{
			name:    "tokens got by offline access that ended too",
			trust:   storage.TokenExpiry{JWT: minute},
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   hour.Add(DefaultClockSkew),
			boundBy: BoundByAccessTokenExp,
			adjust: func(e *storage.Termination) {
				e.Grants = []storage.Grant{{ID: "g", Client: "rp", Trust: storage.TokenExpiry{JWT: hour}}}
			},
		},
		{
			name:    "a grant alone, its tokens not on record",
			kind:    KindAccessTokens,
			want:    storage.TrustExpiring,
			until:   t0.Add(10*time.Minute + DefaultClockSkew),
			boundBy: BoundByAccessTokenExp,
			meta:    storage.Metadata{AccessTokenFormat: "jwt"},
			adjust: func(e *storage.Termination) {
				e.Session, e.Grants = storage.Session{}, []storage.Grant{
					{ID: "g", Client: "rp", Session: "s", LastUsed: t0},
				}
			},
		},
	}
	e := &Terminator{Lifetimes: Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			termination := newTermination(tt.meta, tt.trust)
			if tt.adjust != nil {
				tt.adjust(&termination)
			}
			entry := mustEntry(t, Plan(e, termination, t0).Report, tt.kind)
			if entry.Trust != tt.want || !entry.ExpiresAt.Equal(tt.until) || entry.BoundBy != tt.boundBy {
				t.Errorf(
					"got %s until %v by %s, want %s until %v by %s",
					entry.Trust,
					entry.ExpiresAt,
					entry.BoundBy,
					tt.want,
					tt.until,
					tt.boundBy,
				)
			}
		})
	}
}

func TestPlannedDelivery(t *testing.T) {
	const uri = "HTTPS://RP.Example./bcl?x=1"
	e := &Terminator{
		SubjectFor: func(u storage.User, c *storage.Client) string { return "pairwise " + u.Subject + " " + c.ClientID },
	}
	termination := newTermination(
		storage.Metadata{
			BackchannelLogoutURI:     uri,
			FrontchannelLogoutURI:    "https://rp.example/fcl",
			IDTokenSignedResponseAlg: "ES256",
			LogoutTokenTyp:           "JWT",
			LogoutTokenClaims:        "sid",
		},
		storage.TokenExpiry{},
	)
	termination.Clients["rp"].Disabled = true
	plan := Plan(e, termination, t0)
	if len(plan.Deliveries) != 1 {
		t.Fatalf(
			"got %d deliveries, want 1: one for each client and sid, whatever channels it has",
			len(plan.Deliveries),
		)
	}
	d := plan.Deliveries[0]
	want := storage.Delivery{
		ID:          d.ID,
		Report:      plan.Report.ID,
		Client:      "rp",
		URI:         uri,
		Host:        "rp.example:443",
		Subject:     "pairwise u rp",
		SID:         "sid",
		Alg:         "ES256",
		Typ:         "JWT",
		Claims:      "sid",
		Created:     t0,
		NextAttempt: t0,
		GiveUpAt:    t0.Add(24 * time.Hour),
		State:       storage.DeliveryPending,
	}
	if d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	entry := mustEntry(t, plan.Report, KindClientSession)
	if entry.Delivery != storage.DeliveryPending ||
		!reflect.DeepEqual(entry.Channels, []string{BackChannel, FrontChannel}) {
		t.Errorf("entry: got %+v, want it pending, back before front", entry)
	}
}

func TestGivesUpWhenTheBoundHasPassed(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{
		15 * time.Minute: 16 * time.Minute,
		72 * time.Hour:   72*time.Hour + time.Minute,
		-time.Hour:       time.Minute,
	} {
		termination := newTermination(
			storage.Metadata{BackchannelLogoutURI: "https://rp.example/", SessionExpiry: 1},
			storage.TokenExpiry{SessionExpiry: t0.Add(lease)},
		)
		if got := Plan(&Terminator{}, termination, t0).Deliveries[0].GiveUpAt.Sub(t0); got != want {
			t.Errorf("lease of %v: got %v, want %v", lease, got, want)
		}
	}
}

func TestRecentlyJoinedClientGetsTwoDeliveries(t *testing.T) {
	no := false
	tests := []struct {
		name     string
		joined   time.Duration // before the end
		issued   time.Duration
		renotify *bool
		want     int
	}{
		{"joined 29 s before", 29 * time.Second, time.Hour, nil, 2},
		{"joined 30 s before", 30 * time.Second, time.Hour, nil, 1},
		{"member for long, a new ID token just now", time.Hour, time.Second, nil, 2},
		{"declared that it needs none", time.Second, time.Second, &no, 1},
	}
	for _, tt := range tests {
		termination := newTermination(
			storage.Metadata{BackchannelLogoutURI: "https://rp.example/", Renotify: tt.renotify},
			storage.TokenExpiry{LastIDToken: t0.Add(-tt.issued)},
		)
		termination.Session.ClientSessions[0].Joined = t0.Add(-tt.joined)
		plan := Plan(&Terminator{}, termination, t0)
		if len(plan.Deliveries) != tt.want {
			t.Errorf("%s: got %d deliveries, want %d", tt.name, len(plan.Deliveries), tt.want)
			continue
		}
		if tt.want == 2 {
			first, late := plan.Deliveries[0], plan.Deliveries[1]
			if !late.Renotification || first.Renotification || late.ID == first.ID ||
				!late.NextAttempt.Equal(t0.Add(30*time.Second)) ||
				mustEntry(t, plan.Report, KindClientSession).Renotification != RenotificationPending {
				t.Errorf("%s: got %+v", tt.name, late)
			}
		}
	}
}

func TestExpiryCanBeSilent(t *testing.T) {
	for _, reason := range []storage.Reason{storage.ReasonIdle, storage.ReasonAbsolute, storage.ReasonAdmin} {
		termination := newTermination(
			storage.Metadata{BackchannelLogoutURI: "https://rp.example/"},
			storage.TokenExpiry{},
		)
		termination.Cause.Reason = reason
		silent := reason != storage.ReasonAdmin
		plan := Plan(&Terminator{SilentExpiry: true}, termination, t0)
		if silent != (len(plan.Deliveries) == 0) ||
			silent != (mustEntry(t, plan.Report, KindClientSession).Delivery == storage.DeliveryNone) {
			t.Errorf("%s: got %d deliveries", reason, len(plan.Deliveries))
		}
	}
}

func TestOfflineAccessIsListedApart(t *testing.T) {
	termination := newTermination(storage.Metadata{}, storage.TokenExpiry{Opaque: t0.Add(time.Hour)})
	termination.RemainingOffline = []storage.Grant{{ID: "a", Client: "rp"}, {ID: "b", Client: "rp"}}
	r := Plan(&Terminator{}, termination, t0).Report
	if entry := mustEntry(t, r, KindOfflineAccess); entry.Trust != storage.TrustUnknown ||
		entry.BoundBy != BoundByOfflineAccess ||
		len(r.Entries) != 3 {
		t.Errorf("got %+v, want one entry that says it stays active", r.Entries)
	}
	if got := AssessReport(*r, t0); len(got.Offline) != 1 || got.Tokens.Unknown != 0 || got.Clients.Unknown != 1 {
		t.Errorf("got %+v, want offline access named and in no number", got)
	}
	termination.RemainingOffline, termination.Grants = nil, termination.RemainingOffline
	if entry := mustEntry(t, Plan(&Terminator{}, termination, t0).Report, KindOfflineAccess); entry.Trust != storage.TrustRevoked {
		t.Errorf("ended too: got %+v, want closed", entry)
	}
}

// TestReportIDsSortByTime: the records of one session sort next to each other, and sessions keep their order, so that
// a bulk logout writes to few pages of the store.
func TestReportIDsSortByTime(t *testing.T) {
	var last string
	for _, at := range []time.Time{t0, t0.Add(time.Millisecond)} {
		for _, id := range []storage.SessionID{"AAAAx", "AAABx", "aAAAx"} {
			termination := newTermination(
				storage.Metadata{BackchannelLogoutURI: "https://rp.example/bcl"},
				storage.TokenExpiry{},
			)
			termination.EndedAt, termination.Session.ID = at, id
			termination.Session.ClientSessions = append(
				termination.Session.ClientSessions,
				storage.ClientSession{Client: "rp", SID: "another"},
			)
			plan := Plan(&Terminator{}, termination, t0)
			ids := []string{plan.Report.ID}
			for _, d := range plan.Deliveries {
				ids = append(ids, d.ID)
			}
			if slices.Sort(ids); ids[0] <= last || len(slices.Compact(ids)) != 3 {
				t.Errorf("got %v after %s, want a report and two deliveries that follow it", ids, last)
			}
			last = ids[2]
		}
	}
}
