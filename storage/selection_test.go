package storage

import (
	"testing"
	"time"
)

var testTime = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func TestSelectionEndsExactlyWhatTheSelectorSelects(t *testing.T) {
	session := Session{
		ID:          "s",
		Sequence:    5,
		Subject:     "ann",
		LastActive:  testTime,
		IdleTimeout: time.Hour,
		Expires:     testTime.Add(8 * time.Hour),
	}
	cs := ClientSession{Client: "app", Sequence: 6}
	offline := Grant{Client: "app", Subject: "ann", Sequence: 7}
	ann := map[string]bool{"ann": true}
	for name, c := range map[string]struct {
		sel                             Selection
		session, clientSession, offline bool
	}{
		"nothing": {
			sel: Selection{},
		},
		"the session": {
			sel:     Selection{Selector: Selector{Sessions: []SessionID{"r", "s"}}},
			session: true,
		},
		"another session": {
			sel: Selection{Selector: Selector{Sessions: []SessionID{"r"}}},
		},
		"the user": {
			sel:     Selection{Selector: Selector{Subject: "ann"}},
			session: true,
		},
		"another user": {
			sel: Selection{Selector: Selector{Subject: "bob", IncludeOffline: true}},
		},
		"all users": {
			sel:     Selection{Selector: Selector{AllUsers: true}},
			session: true,
		},
		"all but the session": {
			sel:     Selection{Selector: Selector{AllUsers: true, Except: "s", IncludeOffline: true}},
			offline: true,
		},
		"user and offline": {
			sel:     Selection{Selector: Selector{Subject: "ann", IncludeOffline: true}},
			session: true,
			offline: true,
		},
		"only offline": {
			sel:     Selection{Selector: Selector{Subject: "ann", IncludeOffline: true, OfflineOnly: true}},
			offline: true,
		},
		"a client": {
			sel:           Selection{Selector: Selector{Client: "app"}},
			clientSession: true,
		},
		"a client and offline": {
			sel:           Selection{Selector: Selector{Client: "app", IncludeOffline: true}},
			clientSession: true,
			offline:       true,
		},
		"another client": {
			sel: Selection{Selector: Selector{Client: "other", IncludeOffline: true}},
		},
		"a client in a session": {
			sel:           Selection{Selector: Selector{Sessions: []SessionID{"s"}, Client: "app"}},
			clientSession: true,
		},
		"a client at a user": {
			sel:           Selection{Selector: Selector{Subject: "ann", Client: "app"}},
			clientSession: true,
		},
		"session and offline": {
			sel:     Selection{Selector: Selector{Sessions: []SessionID{"s"}, IncludeOffline: true}, OfflineUsers: ann},
			session: true,
			offline: true,
		},
		"not expired": {
			sel: Selection{Selector: Selector{Expired: true}, At: testTime.Add(time.Hour - 1)},
		},
		"expired": {
			sel:     Selection{Selector: Selector{Expired: true}, At: testTime.Add(time.Hour)},
			session: true,
		},
		"before the session": {
			sel: Selection{Selector: Selector{AllUsers: true, IncludeOffline: true}, Before: 5},
		},
		"after the session": {
			sel:     Selection{Selector: Selector{AllUsers: true, IncludeOffline: true}, Before: 6},
			session: true,
		},
		"before the client": {
			sel: Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 6},
		},
		"before the grant": {
			sel:           Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 7},
			clientSession: true,
		},
		"after the grant": {
			sel:           Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 8},
			clientSession: true,
			offline:       true,
		},
		"clients that do not admit the user": {
			sel: Selection{
				Selector:    Selector{Subject: "ann", Unadmitted: true, IncludeOffline: true},
				NotAdmitted: map[string]bool{"app": true},
			},
			clientSession: true,
			offline:       true,
		},
		"clients that admit the user": {
			sel: Selection{
				Selector:    Selector{Subject: "ann", Unadmitted: true, IncludeOffline: true},
				NotAdmitted: map[string]bool{"wiki": true},
			},
		},
		"users that the client does not admit": {
			sel: Selection{
				Selector:    Selector{Client: "app", Unadmitted: true, IncludeOffline: true},
				NotAdmitted: map[string]bool{"ann": true},
			},
			clientSession: true,
			offline:       true,
		},
		"users that the client admits": {
			sel: Selection{
				Selector:    Selector{Client: "app", Unadmitted: true, IncludeOffline: true},
				NotAdmitted: map[string]bool{"bob": true},
			},
		},
		"a single grant": {
			sel: Selection{Selector: Selector{Grant: "g", IncludeOffline: true}},
		},
	} {
		got := [...]bool{
			c.sel.EndsSession(session),
			c.sel.EndsClientSession(session, cs),
			c.sel.EndsOfflineGrant(offline),
		}
		if want := [...]bool{c.session, c.clientSession, c.offline}; got != want {
			t.Errorf("%s: ends session, client session, offline grant: got %v, want %v", name, got, want)
		}
	}
}

func TestGrantEndsWithItsClientSession(t *testing.T) {
	session, cs := Session{ID: "s", Subject: "ann"}, ClientSession{Client: "app"}
	for _, c := range []struct {
		sel            Selector
		bound, offline bool
	}{
		{Selector{Subject: "ann"}, true, false},
		{Selector{Subject: "ann", IncludeOffline: true}, true, true},
		{Selector{Client: "app"}, true, false},
		{Selector{Client: "other", IncludeOffline: true}, false, false},
		{Selector{Subject: "ann", IncludeOffline: true, OfflineOnly: true}, false, false},
	} {
		sel := Selection{Selector: c.sel}
		got := [...]bool{sel.EndsGrantWith(Grant{Session: "s"}, session, cs), sel.EndsGrantWith(Grant{}, session, cs)}
		if want := [...]bool{c.bound, c.offline}; got != want {
			t.Errorf("%+v: ends a bound grant, an offline grant: got %v, want %v", c.sel, got, want)
		}
	}
}
