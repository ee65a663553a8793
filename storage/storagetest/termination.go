package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var terminationTests = map[string]func(*world){
	"EndedSessionTakesEverythingBoundToItAlong": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		otherSession := w.mustSession("t", "ann", t0)
		bound := w.mustRedeem(id, "ann", "app", t0)
		offline := w.mustRedeemOffline(id, "ann", "other", t0)
		keptCode := w.mustRedeem(otherSession, "ann", "app", t0)
		unused := w.code(id, "ann", "app", t0)
		terminations := w.mustEnd(
			storage.Selector{Sessions: []storage.SessionID{id, id, "gone"}},
			after(time.Second),
			storage.Change{},
		)
		w.restart()
		mustEqual(w, "ended", sessionIDs(terminations), []string{"s"})
		e := terminations[0]
		mustEqual(w, "whole", e.WholeSession, true)
		mustEqual(w, "at", e.EndedAt, after(time.Second))
		mustEqual(w, "members", len(e.Session.ClientSessions), 2)
		mustEqual(w, "grants", grantIDs(e.Grants), []string{"grant of " + bound.ID})
		mustEqual(w, "offline", grantIDs(e.RemainingOffline), []string{"grant of " + offline.ID})
		mustEqual(w, "clients", len(e.Clients), 2)
		mustEqual(w, "user", e.User.Subject, "ann")
		at := after(2 * time.Second)
		if w.sessionActive(id, at) || w.tokenActive(bound, at) || w.grantActive(bound, at) ||
			w.tokenActive(offline, at) {
			w.Fatal("something of an ended session is active")
		}
		if !w.sessionActive(otherSession, at) || !w.tokenActive(keptCode, at) || !w.grantActive(keptCode, at) ||
			!w.grantActive(offline, at) {
			w.Fatal("something that was not selected ended")
		}
		_, err := w.Redeem(w.ctx, unused, at, issue(unused, at))
		w.mustBe(err, storage.ErrRevoked)
		w.mustFamilyRevoked("app", at, "refresh of "+bound.ID)
		_, err = w.SessionBySecret(w.ctx, storage.HashOf("secret of s"), at)
		w.mustBe(err, storage.ErrNotFound)
		_, _, err = w.SessionBySID(w.ctx, bound.SID, at)
		w.mustBe(err, storage.ErrNotFound)
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "stored", n, 1)
	},
	"SelectorsTakeWhatTheySay": func(w *world) {
		for name, c := range map[string]struct {
			sel            storage.Selector
			want           []string
			clientSessions bool
			offline        int
		}{
			"one":                         {storage.Selector{Sessions: []storage.SessionID{"a1"}}, []string{"a1"}, false, 0},
			"two":                         {storage.Selector{Sessions: []storage.SessionID{"a1", "b1"}}, []string{"a1", "b1"}, false, 0},
			"a user's":                    {storage.Selector{Subject: "ann"}, []string{"a1", "a2"}, false, 0},
			"a user's others":             {storage.Selector{Subject: "ann", Except: "a1"}, []string{"a2"}, false, 0},
			"all":                         {storage.Selector{AllUsers: true}, []string{"a1", "a2", "b1"}, false, 0},
			"all but one":                 {storage.Selector{AllUsers: true, Except: "b1"}, []string{"a1", "a2"}, false, 0},
			"nothing":                     {storage.Selector{}, nil, false, 0},
			"nobody's":                    {storage.Selector{Subject: "nobody", IncludeOffline: true}, nil, false, 0},
			"at a client":                 {storage.Selector{Client: "app"}, []string{"a1", "b1"}, true, 0},
			"at a client, all":            {storage.Selector{AllUsers: true, Client: "app"}, []string{"a1", "b1"}, true, 0},
			"a user's client session":     {storage.Selector{Subject: "ann", Client: "app"}, []string{"a1"}, true, 0},
			"one client session":          {storage.Selector{Sessions: []storage.SessionID{"a1"}, Client: "other"}, []string{"a1"}, true, 0},
			"no client session":           {storage.Selector{Sessions: []storage.SessionID{"a2"}, Client: "app"}, nil, true, 0},
			"all with offline":            {storage.Selector{AllUsers: true, IncludeOffline: true}, []string{"a1", "a2", "b1"}, false, 3},
			"user with offline":           {storage.Selector{Subject: "ann", IncludeOffline: true}, []string{"a1", "a2"}, false, 2},
			"one with offline":            {storage.Selector{Sessions: []storage.SessionID{"a2"}, IncludeOffline: true}, []string{"a2"}, false, 2},
			"client session with offline": {storage.Selector{Sessions: []storage.SessionID{"a2"}, Client: "app", IncludeOffline: true}, nil, true, 1},
			"client and offline":          {storage.Selector{Client: "app", IncludeOffline: true}, []string{"a1", "b1"}, true, 2},
			"client's offline":            {storage.Selector{Client: "app", IncludeOffline: true, OfflineOnly: true}, nil, true, 2},
			"a user's offline":            {storage.Selector{Subject: "ann", IncludeOffline: true, OfflineOnly: true}, nil, true, 2},
			"all offline":                 {storage.Selector{AllUsers: true, IncludeOffline: true, OfflineOnly: true}, nil, true, 3},
		} {
			w, at := w.fresh(), t0
			w.mustUsers("ann", "bob")
			w.mustClients("app", "other")
			for id, sub := range map[string]string{"a1": "ann", "a2": "ann", "b1": "bob"} {
				w.mustSession(id, sub, at)
			}
			w.mustRedeem("a1", "ann", "app", at)
			w.mustRedeem("a1", "ann", "other", at)
			w.mustRedeemOffline("a1", "ann", "app", at)
			w.mustRedeemOffline("a2", "ann", "other", at)
			w.mustRedeemOffline("b1", "bob", "app", at)
			want, err := w.CountTerminations(w.ctx, storage.Selection{Selector: c.sel, At: at})
			w.must(err)
			var got storage.TerminationCount
			var offline int
			terminations := w.mustEnd(c.sel, at, storage.Change{})
			for _, e := range terminations {
				if e.WholeSession {
					got.Sessions++
				}
				if e.Session.ID != "" && e.WholeSession == c.clientSessions {
					w.Errorf("%s: whole is %v", name, e.WholeSession)
				}
				got.ClientSessions += len(e.Session.ClientSessions)
				got.Deliveries += len(e.Session.ClientSessions)
				got.Grants += len(e.Grants)
				if c.sel.IncludeOffline && len(e.RemainingOffline) > 0 {
					w.Errorf("%s: grants that end are said to live on: %v", name, grantIDs(e.RemainingOffline))
				}
				for _, g := range e.Grants {
					if g.Offline() {
						offline++
					}
				}
			}
			if fmt.Sprint(sessionIDs(terminations)) != fmt.Sprint(c.want) || offline != c.offline || got != want {
				w.Errorf(
					"%s: ended %v with %d offline grants, %+v, want %v with %d, %+v",
					name,
					sessionIDs(terminations),
					offline,
					got,
					c.want,
					c.offline,
					want,
				)
			}
			if repeated := w.mustEnd(c.sel, at, storage.Change{}); len(repeated) > 0 {
				w.Errorf("%s: ended twice: %+v", name, repeated)
			}
		}
	},
	"WhatWasCommittedBeforeATerminationEndsWhateverItsTimes": func(w *world) {
		for _, sel := range []storage.Selector{
			{Subject: "ann", IncludeOffline: true},
			{AllUsers: true, IncludeOffline: true},
			{Sessions: []storage.SessionID{"s"}, IncludeOffline: true},
			{Subject: "ann", Client: "app", IncludeOffline: true},
			{Sessions: []storage.SessionID{"s"}, Client: "app", IncludeOffline: true},
			{Client: "app", IncludeOffline: true},
		} {
			for _, ahead := range []time.Duration{-10 * 24 * time.Hour, -time.Second, 0, time.Second, time.Minute, time.Hour, 10 * 24 * time.Hour} {
				for _, limit := range []int{0, 1} {
					w.fresh().mustEndAllOfAClockAhead(sel, ahead, limit)
				}
			}
		}
	},
	"ExpiredSessionsEndInTheOrderOfTheirDeadlines": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i, start := range []time.Duration{5, 1, 4, 2, 3} {
			w.mustSession(fmt.Sprint("s", i), "ann", after(start*time.Minute))
		}
		w.must(w.Touch(w.ctx, "s1", after(10*time.Minute))) // the first is not the first any more
		sel := storage.Selector{Expired: true}
		var order []string
		for more := true; more; {
			var terminations []storage.Termination
			var err error
			terminations, more, err = w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: sel, Cause: cause("idle")},
				after(64*time.Minute),
				2,
				noPlan,
			)
			w.must(err)
			for _, e := range terminations {
				order = append(order, string(e.Session.ID))
			}
		}
		mustEqual(w, "order", order, []string{"s3", "s4", "s2"})
		list, err := w.ListBulkLogouts(w.ctx)
		w.must(err)
		mustEqual(w, "bulk logouts", len(list), 0)
		mustEqual(w, "none left", len(w.mustEnd(sel, after(64*time.Minute), storage.Change{})), 0)
	},
	"ExpiredSessionsSayWhichDeadlinePassed": func(w *world) {
		w.mustUsers("ann")
		idle, old := newSession("idle", "ann", t0), newSession("old", "ann", t0)
		old.Expires = after(30 * time.Minute)
		for _, session := range []storage.Session{idle, old} {
			w.must(w.CreateSession(w.ctx, session, storage.Event{At: t0, Kind: "session.created"}))
		}
		reasons := map[storage.SessionID]storage.Reason{}
		for _, e := range w.mustEnd(storage.Selector{Expired: true}, after(2*time.Hour), storage.Change{}) {
			reasons[e.Session.ID] = e.Cause.Reason
		}
		mustEqual(
			w,
			"reasons",
			reasons,
			map[storage.SessionID]storage.Reason{"idle": storage.ReasonIdle, "old": storage.ReasonAbsolute},
		)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Reason: storage.ReasonAbsolute})), 1)
	},
	"GrantAloneEndsAndNothingElse": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		one, two := w.mustRedeem(id, "ann", "app", t0), w.mustRedeem(id, "ann", "app", t0)
		terminations := w.mustEnd(storage.Selector{Grant: "grant of " + one.ID}, t0, storage.Change{})
		mustEqual(w, "ended", len(terminations), 1)
		mustEqual(w, "session", terminations[0].Session, storage.Session{})
		mustEqual(w, "grants", grantIDs(terminations[0].Grants), []string{"grant of " + one.ID})
		if w.tokenActive(one, t0) || w.grantActive(one, t0) || !w.tokenActive(two, t0) || !w.grantActive(two, t0) ||
			!w.sessionActive(id, t0) {
			w.Fatal("not exactly the grant ended")
		}
		mustEqual(w, "again", len(w.mustEnd(storage.Selector{Grant: "grant of " + one.ID}, t0, storage.Change{})), 0)
	},
}

// nextRound counts the rounds of a test.
func (w *world) nextRound() int {
	w.ids["round"]++
	return w.ids["round"]
}

// grantIDs are the ids of grants, sorted.
func grantIDs(list []storage.Grant) (ids []string) {
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	return sorted(ids)
}

// mustEndAllOfAClockAhead ends what was created by a clock that was ahead (or behind), in pages of limit, and checks
// that nothing of it counts from the first page on, and that what begins afterwards does.
func (w *world) mustEndAllOfAClockAhead(sel storage.Selector, ahead time.Duration, limit int) {
	w.mustUsers("ann")
	w.mustClients("app")
	created := after(ahead)
	var all []storage.Code
	for _, id := range []string{"s", "t"} {
		w.mustSession(id, "ann", created)
	}
	if len(sel.Sessions) > 0 {
		sel.Sessions = append(sel.Sessions, "t")
	}
	for _, id := range []storage.SessionID{"s", "t"} {
		all = append(all, w.mustRedeem(id, "ann", "app", created), w.mustRedeemOffline(id, "ann", "app", created))
	}
	unused := w.code("s", "ann", "app", t0)
	want, err := w.CountTerminations(w.ctx, storage.Selection{Selector: sel, At: t0})
	w.must(err)
	mustEqual(w, "grants to end", want.Grants, 4)
	var got storage.TerminationCount
	for more := true; more; {
		var terminations []storage.Termination
		terminations, more = w.mustEndPage(sel, "bulk", t0, limit)
		for _, e := range terminations {
			got = got.Add(storage.CountTermination(e, storage.Selection{}))
		}
		for _, at := range []time.Time{after(time.Second), created} {
			for _, code := range all {
				if w.tokenActive(code, at) || w.grantActive(code, at) ||
					sel.Client == "" && w.sessionActive(code.Session, at) {
					w.Fatalf("%+v, clock ahead by %s: %s is still active at %s", sel, ahead, code.ID, at)
				}
			}
		}
		_, err := w.Redeem(w.ctx, unused, after(time.Second), issue(unused, after(time.Second)))
		w.mustBe(err, storage.ErrRevoked)
	}
	mustEqual(w, "ended", got, want)
	id := w.mustSession("next", "ann", t0)
	next := w.mustRedeem(id, "ann", "app", t0)
	if !w.sessionActive(id, after(time.Second)) || !w.tokenActive(next, after(time.Second)) {
		w.Fatalf("%+v, clock ahead by %s: what began after the termination was ended", sel, ahead)
	}
}
