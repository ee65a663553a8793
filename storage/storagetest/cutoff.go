package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// fence.go tests what an ending keeps out and what it leaves alone.

var cutoffTests = map[string]func(*world){
	"FenceKeepsOutCodesFromBeforeAShareEnded": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		for i, sel := range []storage.Selector{
			{Sessions: []storage.SessionID{"s"}, Client: "app"}, {Subject: "ann", Client: "app"}, {Client: "app"}, {AllUsers: true, Client: "app"},
		} {
			if i == 0 {
				w.mustSession("s", "ann", t0)
				w.mustSession("b", "bob", t0)
			}
			at := after(time.Duration(w.nextRound()) * time.Minute)
			before, same := w.code("s", "ann", "app", at.Add(-time.Second)), w.code("s", "ann", "app", at)
			next, other := w.code("s", "ann", "app", at.Add(time.Millisecond)), w.code("s", "ann", "other", at)
			bob := w.code("b", "bob", "app", at)
			w.mustEnd(sel, at, storage.Change{})
			w.restart()
			for _, code := range []storage.Code{before, same} {
				_, err := w.Redeem(w.ctx, code, at.Add(time.Second), issue(code, at))
				w.mustBe(err, storage.ErrRevoked)
				_, err = w.Join(w.ctx, code, at.Add(time.Second), issue(code, at))
				w.mustBe(err, storage.ErrRevoked)
			}
			for _, code := range []storage.Code{next, other} {
				_, err := w.Redeem(w.ctx, code, at.Add(time.Second), issue(code, at))
				w.must(err)
			}
			_, err := w.Redeem(w.ctx, bob, at.Add(time.Second), issue(bob, at))
			if everywhere := len(sel.Sessions) == 0 && sel.Subject == ""; (err != nil) != everywhere {
				w.Fatalf("%+v: a code of another user: got error %v", sel, err)
			}
		}
	},
	"OlderFenceThatComesLateDoesNotReplaceTheNewer": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{id}, Client: "app"}
		code := w.code(id, "ann", "app", after(5*time.Second))
		w.mustEnd(sel, after(10*time.Second), storage.Change{})
		w.mustEnd(sel, after(time.Second), storage.Change{})
		_, err := w.Redeem(w.ctx, code, after(11*time.Second), issue(code, after(11*time.Second)))
		w.mustBe(err, storage.ErrRevoked)
	},
	"FenceThatWasRenewedIsKeptForItsWholeLife": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{id}, Client: "app"}
		code := w.code(id, "ann", "app", after(50*time.Minute))
		code.Expires = after(24 * time.Hour)
		w.mustEnd(sel, t0, storage.Change{})
		w.mustEnd(sel, after(time.Hour-time.Minute), storage.Change{})
		at := after(storage.CutoffLifetime + time.Minute) // the first one's life is over
		for d := 50 * time.Minute; d < 2*time.Hour; d += 50 * time.Minute {
			w.must(w.Touch(w.ctx, id, after(d)))
		}
		_, err := w.Sweep(w.ctx, at, 1000)
		w.must(err)
		_, err = w.Redeem(w.ctx, code, at, issue(code, at))
		w.mustBe(err, storage.ErrRevoked)
	},
	"FenceSparesTheExceptedSession": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		w.mustSession("s", "ann", t0)
		w.mustSession("keep", "ann", t0)
		out, in := w.code("s", "ann", "app", t0), w.code("keep", "ann", "app", t0)
		w.mustEnd(storage.Selector{Subject: "ann", Client: "app", Except: "keep"}, t0, storage.Change{})
		_, err := w.Redeem(w.ctx, out, t0, issue(out, t0))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.Redeem(w.ctx, in, t0, issue(in, t0))
		w.must(err)
	},
	"SessionThatBeganBeforeAnEndingOfAllCannotBeStoredAfterIt": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustEnd(storage.Selector{Subject: "ann"}, after(time.Second), storage.Change{})
		w.mustBe(w.CreateSession(w.ctx, newSession("late", "ann", t0), storage.Event{}), storage.ErrRevoked)
		w.mustSession("b", "bob", t0)
		w.mustSession("a", "ann", after(time.Second))
		w.mustEnd(storage.Selector{AllUsers: true}, after(2*time.Second), storage.Change{})
		w.mustBe(w.CreateSession(w.ctx, newSession("late", "bob", t0), storage.Event{}), storage.ErrRevoked)
	},
	"MassEndingTakesNothingBeyondItsScope": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		for _, id := range []string{"a1", "a2", "a3"} {
			w.mustSession(id, "ann", t0)
		}
		w.mustSession("b", "bob", t0)
		kept := w.mustRedeemOffline("b", "bob", "app", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{"a1", "a2", "a3"}, IncludeOffline: true}
		_, more, err := w.EndSessions(w.ctx, storage.EndRequest{Selector: sel, Cause: cause("mass")}, t0, 1, noPlan)
		w.must(err)
		if !more || !w.grantActive(kept, t0) || !w.tokenActive(kept, t0) || !w.sessionActive("b", t0) {
			w.Fatal("another user's session or grant died")
		}
	},
	"NamedSessionsTakeTheirUsersOfflineAccessWhereverItWasGiven": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for _, id := range []string{"s1", "s2", "other"} {
			w.mustSession(id, "ann", t0)
		}
		code := w.mustRedeemOffline("other", "ann", "app", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{"s1", "s2"}, IncludeOffline: true}
		for more := true; more; {
			var err error
			_, more, err = w.EndSessions(w.ctx, storage.EndRequest{Selector: sel, Cause: cause("mass")}, t0, 1, noPlan)
			w.must(err)
			w.restart()
			if w.grantActive(code, t0) || !w.sessionActive("other", t0) {
				w.Fatal("the offline grant is alive, or a session that was not named is dead")
			}
		}
	},
	"WhatBelongsToAMassEndingCannotComeLate": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		at := after(time.Second)
		w.mustSession("s1", "ann", t0)
		w.mustSession("s2", "ann", t0)
		// The code is from before the ending, its redemption is later and yet commits first.
		lateCode := w.code("s2", "ann", "app", t0)
		_, err := w.Redeem(w.ctx, lateCode, after(2*time.Second), issueOffline(lateCode, after(2*time.Second)))
		w.must(err)
		sel := storage.Selector{Subject: "ann", IncludeOffline: true}
		_, more, err := w.EndSessions(w.ctx, storage.EndRequest{Selector: sel, Cause: cause("mass")}, at, 1, noPlan)
		w.must(err)
		if !more || w.grantActive(lateCode, after(2*time.Second)) || w.tokenActive(lateCode, after(2*time.Second)) {
			w.Fatal("what a code from before the ending gave is alive")
		}
		for _, created := range []time.Time{t0, at} {
			w.mustBe(w.CreateSession(w.ctx, newSession("late", "ann", created), storage.Event{}), storage.ErrRevoked)
		}
		w.mustSession("next", "ann", after(2*time.Second))
	},
	"FinishedMassEndingLeavesAFenceForItsLife": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i := range 3 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			w.mustRedeem(id, "ann", "app", t0)
		}
		code := w.code("s1", "ann", "app", t0)
		code.Expires = after(100 * time.Hour)
		sel := storage.Selector{Client: "app"}
		for more := true; more; {
			var err error
			_, more, err = w.EndSessions(w.ctx, storage.EndRequest{Selector: sel, Cause: cause("mass")}, after(time.Second), 1, noPlan)
			w.must(err)
		}
		w.must(w.Touch(w.ctx, "s1", after(50*time.Minute)))
		w.must(w.Touch(w.ctx, "s1", after(100*time.Minute)))
		at := after(storage.CutoffLifetime - time.Second)
		_, err := w.Sweep(w.ctx, at, 1000)
		w.must(err)
		_, err = w.Redeem(w.ctx, code, at, issue(code, at))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.Sweep(w.ctx, after(25*time.Hour), 1000)
		w.must(err)
		list, err := w.ListBulkLogouts(w.ctx)
		w.must(err)
		mustEqual(w, "endings after a day", len(list), 0)
	},
}
