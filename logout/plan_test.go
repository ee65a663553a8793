package logout

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var t0 = time.Date(2026, 11, 21, 10, 2, 13, 0, time.UTC)

// endedWith is a session of one client that joined an hour before it ended at t0.
func endedWith(m storage.Metadata, trust storage.Trust) storage.Ended {
	m.ClientID = "rp"
	return storage.Ended{
		Cause: storage.Cause{ID: "cause", Reason: storage.ReasonLogout, By: "user:u"}, At: t0, Whole: true,
		Session: storage.Session{ID: "s", Subject: "u", AuthTime: t0.Add(-time.Hour), Idle: 8 * time.Hour, LastActive: t0.Add(-time.Hour), Expires: t0.Add(23 * time.Hour),
			Members: []storage.Member{{Client: "rp", SID: "sid", Joined: t0.Add(-time.Hour), Trust: trust}}},
		Clients: map[string]*storage.Client{"rp": {Metadata: m}},
		User:    storage.User{Subject: "u"},
	}
}

func mustRow(t *testing.T, r *storage.Report, kind string) storage.Row {
	t.Helper()
	row := r.Row(kind, "rp")
	if row == nil {
		t.Fatalf("the report has no %s row: %+v", kind, r.Rows)
	}
	return *row
}

func TestPlanIsTheSameWhenMadeTwice(t *testing.T) {
	e := &Ender{}
	ended := endedWith(storage.Metadata{BackchannelLogoutURI: "https://rp.example/bcl"}, storage.Trust{Opaque: t0.Add(time.Hour), Issued: t0})
	if a, b := Plan(e, ended), Plan(e, ended); !reflect.DeepEqual(a, b) {
		t.Errorf("got %+v, then %+v", a, b)
	}
}

func TestBoundsOfEachKindOfHolder(t *testing.T) {
	minute, hour := t0.Add(time.Minute), t0.Add(time.Hour)
	none := 0
	tests := []struct {
		name   string
		meta   storage.Metadata
		trust  storage.Trust
		kind   string
		want   storage.TrustState
		until  time.Time
		basis  string
		adjust func(*storage.Ended)
	}{
		{name: "opaque token, introspected each time", trust: storage.Trust{Opaque: hour}, kind: KindTokens, want: storage.TrustClosed, basis: BasisEnforced},
		{name: "opaque token, cached answer", meta: storage.Metadata{IntrospectionCache: 30}, trust: storage.Trust{Opaque: hour}, kind: KindTokens,
			want: storage.TrustBounded, until: t0.Add(30*time.Second + Visibility), basis: BasisCache},
		{name: "opaque token that expires before the cached answer", meta: storage.Metadata{IntrospectionCache: 600}, trust: storage.Trust{Opaque: minute}, kind: KindTokens,
			want: storage.TrustBounded, until: minute.Add(DefaultClockSkew), basis: BasisCache},
		{name: "JWT", trust: storage.Trust{JWT: hour}, kind: KindTokens, want: storage.TrustBounded, until: hour.Add(DefaultClockSkew), basis: BasisJWT},
		{name: "JWT, exact clock", meta: storage.Metadata{ClockSkew: &none}, trust: storage.Trust{JWT: hour}, kind: KindTokens, want: storage.TrustBounded, until: hour, basis: BasisJWT},
		{name: "JWT that expired before the end", trust: storage.Trust{JWT: t0.Add(-time.Hour)}, kind: KindTokens, want: storage.TrustClosed, basis: BasisEnforced},
		{name: "both formats: the later bound", meta: storage.Metadata{IntrospectionCache: 10}, trust: storage.Trust{Opaque: hour, JWT: minute}, kind: KindTokens,
			want: storage.TrustBounded, until: minute.Add(DefaultClockSkew), basis: BasisJWT},
		{name: "application that declares nothing", kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone},
		{name: "front channel only", meta: storage.Metadata{FrontchannelLogoutURI: "https://rp.example/fcl"}, kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone},
		{name: "lease", meta: storage.Metadata{SessionExpiry: 900}, trust: storage.Trust{Lease: minute}, kind: KindApplication, want: storage.TrustBounded,
			until: minute.Add(DefaultClockSkew), basis: BasisLease},
		{name: "lease declared, but never given", meta: storage.Metadata{SessionExpiry: 900}, kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone},
		{name: "lease given, but not declared any more", trust: storage.Trust{Lease: minute}, kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone},
		{name: "lease that is over", meta: storage.Metadata{SessionExpiry: 900}, trust: storage.Trust{Lease: t0.Add(-time.Hour)}, kind: KindApplication,
			want: storage.TrustClosed, until: t0.Add(-time.Hour).Add(DefaultClockSkew), basis: BasisLease},
		{name: "session tied to tokens", meta: storage.Metadata{SessionWithTokens: true}, trust: storage.Trust{Opaque: hour}, kind: KindApplication,
			want: storage.TrustBounded, until: hour.Add(DefaultClockSkew), basis: BasisTokens},
		{name: "session tied to tokens that offline access goes on getting", meta: storage.Metadata{SessionWithTokens: true}, trust: storage.Trust{Opaque: hour},
			kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone,
			adjust: func(e *storage.Ended) { e.Offline = []storage.Grant{{ID: "g", Client: "rp"}} }},
		{name: "the sooner of two means", meta: storage.Metadata{SessionWithTokens: true, SessionExpiry: 900}, trust: storage.Trust{Opaque: hour, Lease: minute},
			kind: KindApplication, want: storage.TrustBounded, until: minute.Add(DefaultClockSkew), basis: BasisLease},
		{name: "client already gone", trust: storage.Trust{JWT: hour, Lease: minute}, kind: KindApplication, want: storage.TrustUnknown, basis: BasisNone,
			adjust: func(e *storage.Ended) { e.Clients = nil }},
		{name: "tokens of a client already gone", trust: storage.Trust{JWT: hour}, kind: KindTokens, want: storage.TrustBounded, until: hour.Add(DefaultClockSkew), basis: BasisJWT,
			adjust: func(e *storage.Ended) { e.Clients = nil }},
		{name: "tokens got by offline access that ended too", trust: storage.Trust{JWT: minute}, kind: KindTokens, want: storage.TrustBounded, until: hour.Add(DefaultClockSkew), basis: BasisJWT,
			adjust: func(e *storage.Ended) {
				e.Grants = []storage.Grant{{ID: "g", Client: "rp", Trust: storage.Trust{JWT: hour}}}
			}},
		{name: "a grant alone, its tokens not on record", kind: KindTokens, want: storage.TrustBounded, until: t0.Add(10*time.Minute + DefaultClockSkew), basis: BasisJWT,
			meta: storage.Metadata{AccessTokenFormat: "jwt"},
			adjust: func(e *storage.Ended) {
				e.Session, e.Grants = storage.Session{}, []storage.Grant{{ID: "g", Client: "rp", Session: "s", LastUsed: t0}}
			}},
	}
	e := &Ender{Lifetimes: Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ended := endedWith(tt.meta, tt.trust)
			if tt.adjust != nil {
				tt.adjust(&ended)
			}
			row := mustRow(t, Plan(e, ended).Report, tt.kind)
			if row.Trust != tt.want || !row.Until.Equal(tt.until) || row.Basis != tt.basis {
				t.Errorf("got %s until %v by %s, want %s until %v by %s", row.Trust, row.Until, row.Basis, tt.want, tt.until, tt.basis)
			}
		})
	}
}

func TestWhoIsTold(t *testing.T) {
	const uri = "HTTPS://RP.Example./bcl?x=1"
	e := &Ender{SubjectFor: func(u storage.User, c *storage.Client) string { return "pairwise " + u.Subject + " " + c.ClientID }}
	ended := endedWith(storage.Metadata{BackchannelLogoutURI: uri, FrontchannelLogoutURI: "https://rp.example/fcl", IDTokenSignedResponseAlg: "ES256", LogoutTokenTyp: "JWT",
		LogoutTokenClaims: "sid"}, storage.Trust{})
	ended.Clients["rp"].Disabled = true
	plan := Plan(e, ended)
	if len(plan.Deliveries) != 1 {
		t.Fatalf("got %d deliveries, want 1: one for each client and sid, whatever channels it has", len(plan.Deliveries))
	}
	d := plan.Deliveries[0]
	want := storage.Delivery{ID: d.ID, Report: plan.Report.ID, Client: "rp", URI: uri, Host: "rp.example:443", Subject: "pairwise u rp", SID: "sid", Alg: "ES256", Typ: "JWT",
		Claims: "sid", Created: t0, Next: t0, GiveUp: t0.Add(24 * time.Hour), State: storage.DeliveryPending}
	if d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	row := mustRow(t, plan.Report, KindApplication)
	if row.Delivery != storage.DeliveryPending || !reflect.DeepEqual(row.Channels, []string{BackChannel, FrontChannel}) {
		t.Errorf("row: got %+v, want it pending, back before front", row)
	}
}

func TestGivesUpWhenTheBoundHasPassed(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{15 * time.Minute: 16 * time.Minute, 72 * time.Hour: 72*time.Hour + time.Minute, -time.Hour: time.Minute} {
		ended := endedWith(storage.Metadata{BackchannelLogoutURI: "https://rp.example/", SessionExpiry: 1}, storage.Trust{Lease: t0.Add(lease)})
		if got := Plan(&Ender{}, ended).Deliveries[0].GiveUp.Sub(t0); got != want {
			t.Errorf("lease of %v: got %v, want %v", lease, got, want)
		}
	}
}

func TestLateJoinerIsToldTwice(t *testing.T) {
	no := false
	tests := []struct {
		name   string
		joined time.Duration // before the end
		issued time.Duration
		tell   *bool
		want   int
	}{
		{"joined 29 s before", 29 * time.Second, time.Hour, nil, 2},
		{"joined 30 s before", 30 * time.Second, time.Hour, nil, 1},
		{"member for long, a new ID token just now", time.Hour, time.Second, nil, 2},
		{"declared that it needs none", time.Second, time.Second, &no, 1},
	}
	for _, tt := range tests {
		ended := endedWith(storage.Metadata{BackchannelLogoutURI: "https://rp.example/", TellLateJoin: tt.tell}, storage.Trust{Issued: t0.Add(-tt.issued)})
		ended.Session.Members[0].Joined = t0.Add(-tt.joined)
		plan := Plan(&Ender{}, ended)
		if len(plan.Deliveries) != tt.want {
			t.Errorf("%s: got %d deliveries, want %d", tt.name, len(plan.Deliveries), tt.want)
			continue
		}
		if tt.want == 2 {
			first, late := plan.Deliveries[0], plan.Deliveries[1]
			if !late.Late || first.Late || late.ID == first.ID || !late.Next.Equal(t0.Add(30*time.Second)) || mustRow(t, plan.Report, KindApplication).Late != LatePending {
				t.Errorf("%s: got %+v", tt.name, late)
			}
		}
	}
}

func TestExpiryCanBeSilent(t *testing.T) {
	for _, reason := range []storage.Reason{storage.ReasonIdle, storage.ReasonAbsolute, storage.ReasonAdmin} {
		ended := endedWith(storage.Metadata{BackchannelLogoutURI: "https://rp.example/"}, storage.Trust{})
		ended.Cause.Reason = reason
		silent := reason != storage.ReasonAdmin
		plan := Plan(&Ender{SilentExpiry: true}, ended)
		if silent != (len(plan.Deliveries) == 0) || silent != (mustRow(t, plan.Report, KindApplication).Delivery == storage.DeliveryNone) {
			t.Errorf("%s: got %d deliveries", reason, len(plan.Deliveries))
		}
	}
}

func TestOfflineAccessIsListedApart(t *testing.T) {
	ended := endedWith(storage.Metadata{}, storage.Trust{Opaque: t0.Add(time.Hour)})
	ended.Offline = []storage.Grant{{ID: "a", Client: "rp"}, {ID: "b", Client: "rp"}}
	r := Plan(&Ender{}, ended).Report
	if row := mustRow(t, r, KindOffline); row.Trust != storage.TrustUnknown || row.Basis != BasisOffline || len(r.Rows) != 3 {
		t.Errorf("got %+v, want one row that says it lives on", r.Rows)
	}
	if got := Assess(*r, t0); len(got.Offline) != 1 || got.Tokens.Unknown != 0 || got.Apps.Unknown != 1 {
		t.Errorf("got %+v, want offline access named and in no number", got)
	}
	ended.Offline, ended.Grants = nil, ended.Offline
	if row := mustRow(t, Plan(&Ender{}, ended).Report, KindOffline); row.Trust != storage.TrustClosed {
		t.Errorf("ended too: got %+v, want closed", row)
	}
}

// TestEndingsLieTogether is what keeps a mass ending on few pages: what is written for one session sorts next to each other, and sessions keep
// their order.
func TestEndingsLieTogether(t *testing.T) {
	var last string
	for _, at := range []time.Time{t0, t0.Add(time.Millisecond)} {
		for _, id := range []storage.SessionID{"AAAAx", "AAABx", "aAAAx"} {
			ended := endedWith(storage.Metadata{BackchannelLogoutURI: "https://rp.example/bcl"}, storage.Trust{})
			ended.At, ended.Session.ID = at, id
			ended.Session.Members = append(ended.Session.Members, storage.Member{Client: "rp", SID: "another"})
			plan := Plan(&Ender{}, ended)
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
