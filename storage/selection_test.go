package storage

import (
	"testing"
	"time"
)

var testTime = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func TestSelectionTakesWhatTheSelectorSays(t *testing.T) {
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
		"nothing":               {Selection{}, false, false, false},
		"the session":           {Selection{Selector: Selector{Sessions: []SessionID{"r", "s"}}}, true, false, false},
		"another session":       {Selection{Selector: Selector{Sessions: []SessionID{"r"}}}, false, false, false},
		"the user":              {Selection{Selector: Selector{Subject: "ann"}}, true, false, false},
		"another user":          {Selection{Selector: Selector{Subject: "bob", IncludeOffline: true}}, false, false, false},
		"all users":             {Selection{Selector: Selector{AllUsers: true}}, true, false, false},
		"all but the session":   {Selection{Selector: Selector{AllUsers: true, Except: "s", IncludeOffline: true}}, false, false, true},
		"user and offline":      {Selection{Selector: Selector{Subject: "ann", IncludeOffline: true}}, true, false, true},
		"only offline":          {Selection{Selector: Selector{Subject: "ann", IncludeOffline: true, OfflineOnly: true}}, false, false, true},
		"a client":              {Selection{Selector: Selector{Client: "app"}}, false, true, false},
		"a client and offline":  {Selection{Selector: Selector{Client: "app", IncludeOffline: true}}, false, true, true},
		"another client":        {Selection{Selector: Selector{Client: "other", IncludeOffline: true}}, false, false, false},
		"a client in a session": {Selection{Selector: Selector{Sessions: []SessionID{"s"}, Client: "app"}}, false, true, false},
		"a client at a user":    {Selection{Selector: Selector{Subject: "ann", Client: "app"}}, false, true, false},
		"session and offline":   {Selection{Selector: Selector{Sessions: []SessionID{"s"}, IncludeOffline: true}, OfflineUsers: ann}, true, false, true},
		"not expired":           {Selection{Selector: Selector{Expired: true}, At: testTime.Add(time.Hour - 1)}, false, false, false},
		"expired":               {Selection{Selector: Selector{Expired: true}, At: testTime.Add(time.Hour)}, true, false, false},
		"before the session":    {Selection{Selector: Selector{AllUsers: true, IncludeOffline: true}, Before: 5}, false, false, false},
		"after the session":     {Selection{Selector: Selector{AllUsers: true, IncludeOffline: true}, Before: 6}, true, false, false},
		"before the client":     {Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 6}, false, false, false},
		"before the grant":      {Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 7}, false, true, false},
		"after the grant":       {Selection{Selector: Selector{Client: "app", IncludeOffline: true}, Before: 8}, false, true, true},
		"a single grant":        {Selection{Selector: Selector{Grant: "g", IncludeOffline: true}}, false, false, false},
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
