package logout

import (
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// exampleSession is a session with four applications: one that confirms, one with a lease, one told through the browser only, and an
// API client with JWT access tokens.
func exampleSession() (storage.Session, map[string]*storage.Client) {
	clients := map[string]*storage.Client{}
	s := storage.Session{ID: "s", Subject: "u"}
	add := func(m storage.Metadata, t storage.Trust) {
		clients[m.ClientID] = &storage.Client{Metadata: m}
		s.Members = append(s.Members, storage.Member{Client: m.ClientID, SID: "sid of " + m.ClientID, Joined: t0.Add(-time.Hour), Trust: t})
	}
	add(storage.Metadata{ClientID: "a", ClientName: "A", BackchannelLogoutURI: "https://a.example/"}, storage.Trust{Opaque: t0.Add(time.Hour)})
	add(storage.Metadata{ClientID: "b", ClientName: "B", BackchannelLogoutURI: "https://b.example/", SessionExpiry: 900}, storage.Trust{Lease: t0.Add(15 * time.Minute)})
	add(storage.Metadata{ClientID: "c", ClientName: "C", FrontchannelLogoutURI: "https://c.example/"}, storage.Trust{})
	add(storage.Metadata{ClientID: "d", ClientName: "D", AccessTokenFormat: "jwt", SessionWithTokens: true}, storage.Trust{JWT: t0.Add(10 * time.Minute)})
	return s, clients
}

func TestPreviewSaysWhatALogoutWouldLeave(t *testing.T) {
	s, clients := exampleSession()
	e := Horizon(s, clients, []storage.Grant{{ID: "o", Client: "a"}, {ID: "x", Client: "elsewhere"}, {ID: "g", Client: "b", Session: "s"}}, t0, Options{})
	if !e.Op.AtOnce() {
		t.Errorf("op: got %+v, want at once", e.Op)
	}
	if e.Tokens.Within(t0) != 11*time.Minute || e.Tokens.Unknown != 0 || e.Tokens.Bounded != 1 {
		t.Errorf("tokens: got %+v, want within 11 min", e.Tokens)
	}
	if e.Apps.Holders != 4 || e.Apps.Bounded != 2 || e.Apps.Within(t0) != 16*time.Minute || e.Apps.Unknown != 2 || e.Apps.Told != 1 || !slices.Equal(e.Apps.Names, []string{"A", "C"}) {
		t.Errorf("apps: got %+v, want 2 within 16 min and A, C unknown, A of them told directly", e.Apps)
	}
	if !slices.Equal(e.Offline, []string{"A"}) {
		t.Errorf("offline: got %v, want A", e.Offline)
	}
	if all := Horizon(s, clients, []storage.Grant{{ID: "o", Client: "a"}}, t0, Options{Offline: true}); len(all.Offline) != 0 {
		t.Errorf("offline ended too: got %v left", all.Offline)
	}
	both := Join(t0, e, e)
	if both.Apps.Holders != 8 || both.Apps.Unknown != 4 || len(both.Apps.Names) != 2 || both.Tokens.Within(t0) != 11*time.Minute {
		t.Errorf("two sessions: got %+v", both)
	}
}

func TestReportSaysWhatIsLeftAsTimePasses(t *testing.T) {
	s, clients := exampleSession()
	ended := storage.Ended{Cause: storage.Cause{ID: "c", Reason: storage.ReasonLogout}, At: t0, Session: s, Whole: true, Clients: clients}
	r := *Plan(&Ender{}, ended).Report
	a := r.Row(KindApplication, "a")
	*a = settled(storage.Delivery{Attempts: 1}, storage.DeliveryDone, time.Time{}, storage.Answer{At: t0.Add(300 * time.Millisecond), Status: 200})(*a)
	FrameAsked([]string{"c"}, t0)(&r)

	e := Assess(r, t0.Add(time.Second))
	if e.Apps.Ended != 1 || e.Apps.Bounded != 2 || !slices.Equal(e.Apps.Names, []string{"C"}) {
		t.Errorf("at first: got %+v", e.Apps)
	}
	e = Assess(r, t0.Add(time.Hour))
	if !e.Tokens.AtOnce() || e.Apps.Ended != 3 || e.Apps.Unknown != 1 {
		t.Errorf("later: got %+v, %+v, want only C left, for ever", e.Tokens, e.Apps)
	}
}

func TestMaxTrustHorizonNamesTheRuleAndByHowMuch(t *testing.T) {
	l := Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Absolute: 24 * time.Hour}
	code := []string{"authorization_code", "refresh_token"}
	tests := []struct {
		name string
		m    storage.Metadata
		want []Breach // Setting is not compared
	}{
		{"leased, opaque", storage.Metadata{SessionExpiry: 600, GrantTypes: code}, nil},
		{"machine client without sessions", storage.Metadata{GrantTypes: []string{"client_credentials"}}, nil},
		{"no bound", storage.Metadata{BackchannelLogoutURI: "https://rp.example/"}, []Breach{{Rule: BasisNone, Unbounded: true}}},
		{"lease too long", storage.Metadata{SessionExpiry: 900}, []Breach{{Rule: BasisLease, Within: 16 * time.Minute, By: time.Minute}}},
		{"cache too long", storage.Metadata{SessionExpiry: 60, IntrospectionCache: 1000}, []Breach{{Rule: BasisCache, Within: 1001 * time.Second, By: 101 * time.Second}}},
		{"tied to tokens of an hour", storage.Metadata{SessionWithTokens: true}, []Breach{{Rule: BasisTokens, Within: 61 * time.Minute, By: 46 * time.Minute}}},
		{"tied to short tokens", storage.Metadata{SessionWithTokens: true, AccessTokenFormat: "jwt", GrantTypes: code, RefreshTokens: "session"}, nil},
		{"tied to tokens that offline access can get", storage.Metadata{SessionWithTokens: true, AccessTokenFormat: "jwt", GrantTypes: code}, []Breach{{Rule: BasisNone, Unbounded: true}}},
	}
	for _, tt := range tests {
		tt.m.ClientID = "rp"
		got := CheckMaxHorizon(15*time.Minute, &storage.Client{Metadata: tt.m}, l)
		for i := range got {
			if got[i].Setting == "" || got[i].Error() == "" {
				t.Errorf("%s: %+v does not say what to change", tt.name, got[i])
			}
			got[i].Setting, got[i].Client = "", ""
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if got := CheckMaxHorizon(0, &storage.Client{}, l); got != nil {
		t.Errorf("nothing promised: got %v", got)
	}
}

func TestCoverageFindsWhoCannotBeTold(t *testing.T) {
	l := Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute}
	tests := []struct {
		m        storage.Metadata
		confirms bool
		unknown  bool
		problems int
	}{
		{storage.Metadata{BackchannelLogoutURI: "https://rp.example/", SessionExpiry: 60}, true, false, 0},
		{storage.Metadata{}, false, true, 1},
		{storage.Metadata{FrontchannelLogoutURI: "https://rp.example/"}, false, true, 1},
		{storage.Metadata{BackchannelLogoutURI: "http://rp.example/"}, true, true, 1},
		{storage.Metadata{BackchannelLogoutURI: "http://atlas.localhost:8081/"}, true, true, 0},
		{storage.Metadata{BackchannelLogoutURI: "http://[::1]:8081/", LogoutTokenClaims: "sub", BackchannelSessionReq: true}, true, true, 2},
		{storage.Metadata{GrantTypes: []string{"client_credentials"}}, false, false, 0},
	}
	for _, tt := range tests {
		got := Cover(&storage.Client{Metadata: tt.m}, l)
		if got.Confirms != tt.confirms || got.Apps.Unknown != tt.unknown || len(got.Problems) != tt.problems {
			t.Errorf("%+v: got %+v", tt.m, got)
		}
	}
}
