package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// cutoff.go tests which codes, sign-ins and tokens a termination invalidates, and that it invalidates no others.

var cutoffTests = map[string]func(*world){
	"CutoffInvalidatesCodesFromBeforeAClientSessionEnded": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		w.mustSession("s", "ann", t0)
		w.mustSession("b", "bob", t0)
		for _, sel := range []storage.Selector{
			{Sessions: sessionsNamed("s"), Client: "app"},
			{Subject: "ann", Client: "app"},
			{Client: "app"},
			{AllUsers: true, Client: "app"},
		} {
			at := after(time.Duration(w.nextRound()) * time.Minute)
			before, bob := w.code("s", "ann", "app", at.Add(-time.Second)), w.code("b", "bob", "app", at)
			beforeByAClockAhead := w.code("s", "ann", "app", at.Add(30*time.Second))
			w.mustEnd(sel, at, storage.Change{})
			w.restart()
			for _, code := range []storage.Code{before, beforeByAClockAhead} {
				_, err := w.Redeem(w.ctx, code, at.Add(time.Second), issue(code, at))
				w.mustBe(err, storage.ErrRevoked)
				_, err = w.Join(w.ctx, code, at.Add(time.Second), issue(code, at))
				w.mustBe(err, storage.ErrRevoked)
			}
			next, other := w.code("s", "ann", "app", at.Add(-time.Second)), w.code("s", "ann", "other", at)
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
	"CutoffThatIsDatedEarlierCountsByItsPlaceInTheOrder": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{id}, Client: "app"}
		w.mustEnd(sel, after(10*time.Second), storage.Change{})
		code := w.code(id, "ann", "app", after(10*time.Second))
		w.mustEnd(sel, after(time.Second), storage.Change{}) // the clock was set back
		_, err := w.Redeem(w.ctx, code, after(11*time.Second), issue(code, after(11*time.Second)))
		w.mustBe(err, storage.ErrRevoked)
	},
	"RenewedCutoffIsKeptForItsWholeLifetime": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		sel := storage.Selector{Sessions: []storage.SessionID{id}, Client: "app"}
		w.mustEnd(sel, t0, storage.Change{})
		code := w.code(id, "ann", "app", after(50*time.Minute))
		code.Expires = after(24 * time.Hour)
		w.mustEnd(sel, after(time.Hour-time.Minute), storage.Change{})
		at := after(storage.CutoffLifetime + time.Minute) // the first cutoff would have expired
		for d := 50 * time.Minute; d < 2*time.Hour; d += 50 * time.Minute {
			w.must(w.Touch(w.ctx, id, after(d)))
		}
		_, err := w.Sweep(w.ctx, at, 1000)
		w.must(err)
		_, err = w.Redeem(w.ctx, code, at, issue(code, at))
		w.mustBe(err, storage.ErrRevoked)
	},
	"CutoffDoesNotApplyToTheExceptedSession": func(w *world) {
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
	"SignInThatBeganBeforeAllSessionsEndedGivesNoSession": func(w *world) {
		w.mustUsers("ann", "bob")
		for i, sel := range []storage.Selector{{Subject: "ann"}, {AllUsers: true}} {
			late := newSession("late", "ann", after(time.Hour)) // its time does not matter
			late.Sequence = w.sequence()
			w.mustEnd(sel, t0, storage.Change{})
			w.mustBe(w.CreateSession(w.ctx, late, storage.Event{}), storage.ErrRevoked)
			if sel.Subject != "" {
				bob := newSession("b", "bob", t0)
				bob.Sequence = late.Sequence
				w.must(w.CreateSession(w.ctx, bob, storage.Event{}))
			}
			w.mustSession(fmt.Sprint("next", i), "ann", after(-time.Hour))
		}
	},
	"BulkLogoutEndsNothingThatItDoesNotSelect": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		for _, id := range []string{"a1", "a2", "a3"} {
			w.mustSession(id, "ann", t0)
		}
		w.mustSession("b", "bob", t0)
		kept := w.mustRedeemOffline("b", "bob", "app", t0)
		sel := storage.Selector{Sessions: sessionsNamed("a1", "a2", "a3"), IncludeOffline: true}
		if _, more := w.mustEndPage(sel, "bulk", t0, 1); !more {
			w.Fatal("the first page ended everything")
		}
		if !w.grantActive(kept, t0) || !w.tokenActive(kept, t0) || !w.sessionActive("b", t0) {
			w.Fatal("another user's session or grant was revoked")
		}
	},
	"SelectorOfSessionsEndsAllOfflineAccessOfTheirUsers": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for _, id := range []string{"s1", "s2", "other"} {
			w.mustSession(id, "ann", t0)
		}
		code := w.mustRedeemOffline("other", "ann", "app", t0)
		sel := storage.Selector{Sessions: sessionsNamed("s1", "s2"), IncludeOffline: true}
		for more := true; more; {
			_, more = w.mustEndPage(sel, "bulk", t0, 1)
			w.restart()
			if w.grantActive(code, t0) || !w.sessionActive("other", t0) {
				w.Fatal("the offline grant is active, or a session that was not named was ended")
			}
		}
	},
	"NothingOfABulkLogoutIsCreatedAfterItsFirstPage": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		w.mustSession("s1", "ann", t0)
		w.mustSession("s2", "ann", t0)
		redeemed := w.mustRedeemOffline(
			"s2",
			"ann",
			"app",
			after(time.Hour-time.Second),
		) // committed before, though dated later
		late := newSession("late", "ann", after(time.Hour))
		late.Sequence = w.sequence()
		sel := storage.Selector{Subject: "ann", IncludeOffline: true}
		if _, more := w.mustEndPage(sel, "bulk", after(time.Second), 1); !more {
			w.Fatal("the first page ended everything")
		}
		if w.grantActive(redeemed, after(2*time.Second)) || w.tokenActive(redeemed, after(2*time.Second)) {
			w.Fatal("what was committed before the bulk logout is active")
		}
		w.mustBe(w.CreateSession(w.ctx, late, storage.Event{}), storage.ErrRevoked)
		w.mustSession("next", "ann", t0)
		if !w.sessionActive("next", after(time.Second)) {
			w.Fatal("a session that began after the bulk logout was ended by it")
		}
	},
	"FinishedBulkLogoutKeepsItsCutoff": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i := range 3 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			w.mustRedeem(id, "ann", "app", t0)
		}
		code := w.code("s1", "ann", "app", t0)
		code.Expires = after(100 * time.Hour)
		for more := true; more; {
			_, more = w.mustEndPage(storage.Selector{Client: "app"}, "bulk", after(time.Second), 1)
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
		mustEqual(w, "bulk logouts after a day", len(list), 0)
	},
	"CodeStaysRefusedAfterItsCutoffWasSwept": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", t0)
		late := newSession("late", "ann", t0)
		late.Sequence = w.sequence()
		w.mustEnd(storage.Selector{Subject: "ann", Client: "app"}, t0, storage.Change{})
		w.mustEnd(storage.Selector{Subject: "ann", Except: id}, t0, storage.Change{})
		_, err := w.Sweep(w.ctx, after(100*24*time.Hour), 1000) // by a clock that is set back later
		w.must(err)
		w.restart()
		_, err = w.Redeem(w.ctx, code, after(time.Second), issue(code, after(time.Second)))
		w.mustBe(err, storage.ErrRevoked)
		w.mustBe(w.CreateSession(w.ctx, late, storage.Event{}), storage.ErrRevoked)
		w.mustRedeem(id, "ann", "app", after(time.Second))
	},
}
