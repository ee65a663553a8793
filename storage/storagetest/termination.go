package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var terminationTests = map[string]func(*world){
	"EverythingBoundToASessionEndsWithIt": func(w *world) {
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
		mustEqual(w, "client sessions", len(e.Session.ClientSessions), 2)
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
	"SelectorsEndExactlyWhatTheySelect": func(w *world) {
		type selector = storage.Selector
		for name, c := range map[string]struct {
			sel            selector
			want           []string // the sessions
			clientSessions bool     // only their client sessions end
			offline        int      // number of offline grants that end
		}{
			"one": {
				sel:  selector{Sessions: sessionsNamed("a1")},
				want: []string{"a1"},
			},
			"two": {
				sel:  selector{Sessions: sessionsNamed("a1", "b1")},
				want: []string{"a1", "b1"},
			},
			"a user's": {
				sel:  selector{Subject: "ann"},
				want: []string{"a1", "a2"},
			},
			"a user's others": {
				sel:  selector{Subject: "ann", Except: "a1"},
				want: []string{"a2"},
			},
			"all": {
				sel:  selector{AllUsers: true},
				want: []string{"a1", "a2", "b1"},
			},
			"all but one": {
				sel:  selector{AllUsers: true, Except: "b1"},
				want: []string{"a1", "a2"},
			},
			"nothing": {
				sel: selector{},
			},
			"nobody's": {
				sel: selector{Subject: "nobody", IncludeOffline: true},
			},
			"at a client": {
				sel:            selector{Client: "app"},
				want:           []string{"a1", "b1"},
				clientSessions: true,
			},
			"at a client, all": {
				sel:            selector{AllUsers: true, Client: "app"},
				want:           []string{"a1", "b1"},
				clientSessions: true,
			},
			"a user's client session": {
				sel:            selector{Subject: "ann", Client: "app"},
				want:           []string{"a1"},
				clientSessions: true,
			},
			"one client session": {
				sel:            selector{Sessions: sessionsNamed("a1"), Client: "other"},
				want:           []string{"a1"},
				clientSessions: true,
			},
			"no client session": {
				sel:            selector{Sessions: sessionsNamed("a2"), Client: "app"},
				clientSessions: true,
			},
			"all with offline": {
				sel:     selector{AllUsers: true, IncludeOffline: true},
				want:    []string{"a1", "a2", "b1"},
				offline: 3,
			},
			"user with offline": {
				sel:     selector{Subject: "ann", IncludeOffline: true},
				want:    []string{"a1", "a2"},
				offline: 2,
			},
			"one with offline": {
				sel:     selector{Sessions: sessionsNamed("a2"), IncludeOffline: true},
				want:    []string{"a2"},
				offline: 2,
			},
			"client session with offline": {
				sel:            selector{Sessions: sessionsNamed("a2"), Client: "app", IncludeOffline: true},
				clientSessions: true,
				offline:        1,
			},
			"client and offline": {
				sel:            selector{Client: "app", IncludeOffline: true},
				want:           []string{"a1", "b1"},
				clientSessions: true,
				offline:        2,
			},
			"client's offline": {
				sel:            selector{Client: "app", IncludeOffline: true, OfflineOnly: true},
				clientSessions: true,
				offline:        2,
			},
			"a user's offline": {
				sel:            selector{Subject: "ann", IncludeOffline: true, OfflineOnly: true},
				clientSessions: true,
				offline:        2,
			},
			"all offline": {
				sel:            selector{AllUsers: true, IncludeOffline: true, OfflineOnly: true},
				clientSessions: true,
				offline:        3,
			},
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
	"TerminationEndsEarlierRecordsWhateverTheirTimes": func(w *world) {
		const tenDays = 10 * 24 * time.Hour
		steps := []time.Duration{-tenDays, -time.Second, 0, time.Second, time.Minute, time.Hour, tenDays}
		for _, sel := range []storage.Selector{
			{Subject: "ann", IncludeOffline: true},
			{AllUsers: true, IncludeOffline: true},
			{Sessions: sessionsNamed("s"), IncludeOffline: true},
			{Subject: "ann", Client: "app", IncludeOffline: true},
			{Sessions: sessionsNamed("s"), Client: "app", IncludeOffline: true},
			{Client: "app", IncludeOffline: true},
		} {
			for _, ahead := range steps {
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
		w.must(w.Touch(w.ctx, "s1", after(10*time.Minute))) // its deadline is no longer the earliest
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
	"ExpiredSessionsHaveTheReasonOfTheirExpiry": func(w *world) {
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
	"TerminationOfAGrantEndsNothingElse": func(w *world) {
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

// nextRound returns the number of the next round of a test.
func (w *world) nextRound() int {
	w.ids["round"]++
	return w.ids["round"]
}

// grantIDs returns the ids of grants, sorted.
func grantIDs(list []storage.Grant) (ids []string) {
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	return sorted(ids)
}

// mustEndAllOfAClockAhead ends sessions and grants that were created by a clock that was ahead (or behind), in pages of
// limit. It checks that all are revoked from the first page on, and that a session that begins afterwards is not.
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
	for _, id := range sessionsNamed("s", "t") {
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
