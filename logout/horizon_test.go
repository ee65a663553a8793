package logout

import (
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// exampleSession is a session with four clients: one that confirms, one with a session expiry, one notified through
// the front channel only, and an API client with JWT access tokens.
func exampleSession() (storage.Session, map[string]*storage.Client) {
	clients := map[string]*storage.Client{}
	s := storage.Session{ID: "s", Subject: "u"}
	add := func(m storage.Metadata, t storage.TokenExpiry) {
		clients[m.ClientID] = &storage.Client{Metadata: m}
		s.ClientSessions = append(s.ClientSessions, storage.ClientSession{
			Client:      m.ClientID,
			SID:         "sid of " + m.ClientID,
			Joined:      t0.Add(-time.Hour),
			TokenExpiry: t,
		})
	}
	add(
		storage.Metadata{ClientID: "a", ClientName: "A", BackchannelLogoutURI: "https://a.example/"},
		storage.TokenExpiry{Opaque: t0.Add(time.Hour)},
	)
	add(
		storage.Metadata{
			ClientID:             "b",
			ClientName:           "B",
			BackchannelLogoutURI: "https://b.example/",
			SessionExpiry:        900,
		},
		storage.TokenExpiry{SessionExpiry: t0.Add(15 * time.Minute)},
	)
	add(
		storage.Metadata{ClientID: "c", ClientName: "C", FrontchannelLogoutURI: "https://c.example/"},
		storage.TokenExpiry{},
	)
	add(
		storage.Metadata{ClientID: "d", ClientName: "D", AccessTokenFormat: "jwt", SessionWithTokens: true},
		storage.TokenExpiry{JWT: t0.Add(10 * time.Minute)},
	)
	return s, clients
}

func TestPreviewHorizon(t *testing.T) {
	s, clients := exampleSession()
	e := PreviewHorizon(
		s,
		clients,
		[]storage.Grant{{ID: "o", Client: "a"}, {ID: "x", Client: "elsewhere"}, {ID: "g", Client: "b", Session: "s"}},
		t0,
		PreviewOptions{},
	)
	if !e.OP.Complete() {
		t.Errorf("op: got %+v, want at once", e.OP)
	}
	if e.Tokens.Remaining(t0) != 11*time.Minute || e.Tokens.Unknown != 0 || e.Tokens.Expiring != 1 {
		t.Errorf("tokens: got %+v, want within 11 min", e.Tokens)
	}
	if e.Clients.Entries != 4 || e.Clients.Expiring != 2 || e.Clients.Remaining(t0) != 16*time.Minute ||
		e.Clients.Unknown != 2 ||
		e.Clients.Notifying != 1 ||
		!slices.Equal(e.Clients.UnknownNames, []string{"A", "C"}) {
		t.Errorf(
			"apps: got %+v, want 2 within 16 min and A, C unknown, A of them notified through the back channel",
			e.Clients,
		)
	}
	if !slices.Equal(e.Offline, []string{"A"}) {
		t.Errorf("offline: got %v, want A", e.Offline)
	}
	if all := PreviewHorizon(s, clients, []storage.Grant{{
		ID:     "o",
		Client: "a",
	}}, t0, PreviewOptions{IncludeOffline: true}); len(
		all.Offline,
	) != 0 {
		t.Errorf("offline ended too: got %v left", all.Offline)
	}
	both := MergeEstimates(t0, e, e)
	if both.Clients.Entries != 8 || both.Clients.Unknown != 4 || len(both.Clients.UnknownNames) != 2 ||
		both.Tokens.Remaining(t0) != 11*time.Minute {
		t.Errorf("two sessions: got %+v", both)
	}
}

func TestReportHorizonShrinksOverTime(t *testing.T) {
	s, clients := exampleSession()
	termination := storage.Termination{
		Cause:        storage.Cause{ID: "c", Reason: storage.ReasonLogout},
		EndedAt:      t0,
		Session:      s,
		WholeSession: true,
		Clients:      clients,
	}
	r := *Plan(&Terminator{}, termination, t0).Report
	a := r.Entry(KindClientSession, "a")
	*a = entryUpdater(
		storage.Delivery{Attempts: 1},
		storage.DeliveryDone,
		time.Time{},
		storage.Answer{At: t0.Add(300 * time.Millisecond), Status: 200},
	)(*a)
	MarkFrontChannelNotified([]string{"c"}, t0)(&r)

	e := AssessReport(r, t0.Add(time.Second))
	if e.Clients.Over != 1 || e.Clients.Expiring != 2 || !slices.Equal(e.Clients.UnknownNames, []string{"C"}) {
		t.Errorf("at first: got %+v", e.Clients)
	}
	e = AssessReport(r, t0.Add(time.Hour))
	if !e.Tokens.Complete() || e.Clients.Over != 3 || e.Clients.Unknown != 1 {
		t.Errorf("later: got %+v, %+v, want only C left, for ever", e.Tokens, e.Clients)
	}
}

func TestMaxTrustHorizonNamesTheRuleAndByHowMuch(t *testing.T) {
	l := Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Session: 24 * time.Hour}
	code := []string{"authorization_code", "refresh_token"}
	tests := []struct {
		name string
		m    storage.Metadata
		want []HorizonViolation // Setting is not compared
	}{
		{"leased, opaque", storage.Metadata{SessionExpiry: 600, GrantTypes: code}, nil},
		{"machine client without sessions", storage.Metadata{GrantTypes: []string{"client_credentials"}}, nil},
		{
			"no bound",
			storage.Metadata{BackchannelLogoutURI: "https://rp.example/"},
			[]HorizonViolation{{BoundBy: BoundByNothing, Unbounded: true}},
		},
		{
			"lease too long",
			storage.Metadata{SessionExpiry: 900},
			[]HorizonViolation{{BoundBy: BoundBySessionExpiry, Limit: 16 * time.Minute, Excess: time.Minute}},
		},
		{
			"cache too long",
			storage.Metadata{SessionExpiry: 60, IntrospectionCache: 1000},
			[]HorizonViolation{
				{BoundBy: BoundByIntrospectionCache, Limit: 1001 * time.Second, Excess: 101 * time.Second},
			},
		},
		{
			"tied to tokens of an hour",
			storage.Metadata{SessionWithTokens: true},
			[]HorizonViolation{{BoundBy: BoundBySessionWithTokens, Limit: 61 * time.Minute, Excess: 46 * time.Minute}},
		},
		{
			"tied to short tokens",
			storage.Metadata{
				SessionWithTokens: true,
				AccessTokenFormat: "jwt",
				GrantTypes:        code,
				RefreshTokens:     "session",
			},
			nil,
		},
		{
			"tied to tokens that offline access can get",
			storage.Metadata{SessionWithTokens: true, AccessTokenFormat: "jwt", GrantTypes: code},
			[]HorizonViolation{{BoundBy: BoundByNothing, Unbounded: true}},
		},
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

func TestCoverageFindsClientsThatCannotBeNotified(t *testing.T) {
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
		{
			storage.Metadata{
				BackchannelLogoutURI:  "http://[::1]:8081/",
				LogoutTokenClaims:     "sub",
				BackchannelSessionReq: true,
			},
			true,
			true,
			2,
		},
		{storage.Metadata{GrantTypes: []string{"client_credentials"}}, false, false, 0},
	}
	for _, tt := range tests {
		got := AssessCoverage(&storage.Client{Metadata: tt.m}, l)
		if got.CanConfirm != tt.confirms || got.ClientSession.Unknown != tt.unknown ||
			len(got.Problems) != tt.problems {
			t.Errorf("%+v: got %+v", tt.m, got)
		}
	}
}
