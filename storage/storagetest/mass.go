package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var massTests = map[string]func(*world){
	"MassEndingIsInForceFromItsFirstCall": func(w *world) {
		for name, c := range map[string]struct {
			sel                     storage.Selector
			session, share, offline bool // what is dead
		}{
			"everyone":              {storage.Selector{Everyone: true}, true, true, false},
			"everyone and offline":  {storage.Selector{Everyone: true, Offline: true}, true, true, true},
			"a user":                {storage.Selector{Subject: "ann"}, true, true, false},
			"a user and offline":    {storage.Selector{Subject: "ann", Offline: true}, true, true, true},
			"a client":              {storage.Selector{Client: "app"}, false, true, false},
			"a client and offline":  {storage.Selector{Client: "app", Offline: true}, false, true, true},
			"a user at a client":    {storage.Selector{Subject: "ann", Client: "app", Offline: true}, false, true, true},
			"sessions":              {storage.Selector{Sessions: []storage.SessionID{"s0", "s1", "s2", "s3"}}, true, true, false},
			"sessions and offline":  {storage.Selector{Sessions: []storage.SessionID{"s0", "s1", "s2", "s3"}, Offline: true}, true, true, true},
			"shares of sessions":    {storage.Selector{Sessions: []storage.SessionID{"s0", "s1", "s2", "s3"}, Client: "app"}, false, true, false},
			"everyone but somebody": {storage.Selector{Everyone: true, Except: "kept"}, true, true, false},
		} {
			w := w.fresh()
			w.mustUsers("ann")
			w.mustClients("app", "other")
			bound, offline, unused := map[string]storage.Code{}, map[string]storage.Code{}, map[string]storage.Code{}
			for i := range 4 {
				id := fmt.Sprint("s", i)
				w.mustSession(id, "ann", t0)
				bound[id] = w.mustRedeem(storage.SessionID(id), "ann", "app", t0)
				offline[id] = w.mustRedeemOffline(storage.SessionID(id), "ann", "app", t0)
				unused[id] = w.code(storage.SessionID(id), "ann", "app", t0)
			}
			at := after(time.Second)
			ended, more, err := w.EndSessions(w.ctx, c.sel, cause("mass"), at, storage.Change{}, 1, noPlan)
			w.must(err)
			if len(ended) != 1 || !more {
				w.Fatalf("%s: the first page has %d, more is %v", name, len(ended), more)
			}
			for _, crashed := range []bool{false, true} {
				if crashed {
					w.restart()
				}
				for id := range bound {
					got := [...]bool{!w.alive(storage.SessionID(id), at), !w.tokenAlive(bound[id], at), !w.grantAlive(bound[id], at), !w.tokenAlive(offline[id], at), !w.grantAlive(offline[id], at)}
					want := [...]bool{c.session, c.share, c.share, c.share, c.offline}
					if got != want {
						w.Errorf("%s: session %s: dead are session, token, grant, offline token, offline grant %v, want %v", name, id, got, want)
					}
					_, err := w.Redeem(w.ctx, unused[id], at, issue(unused[id], at))
					w.mustBe(err, storage.ErrEnded)
					_, err = w.refresh("refresh of "+bound[id].ID, "r", "app", at)
					w.mustBe(err, storage.ErrEnded)
					_, err = w.LiveGrant(w.ctx, "grant of "+bound[id].ID, bound[id].SID, t0, at)
					w.mustBe(err, storage.ErrNotFound)
					_, err = w.LiveGrant(w.ctx, "grant of "+bound[id].ID, "", t0, at)
					w.mustBe(err, storage.ErrNotFound)
					_, _, err = w.SessionBySID(w.ctx, bound[id].SID, at)
					w.mustBe(err, storage.ErrNotFound)
				}
				list, err := w.ListGrants(w.ctx, "ann", "", false, at)
				w.must(err)
				left := map[bool]int{true: 0, false: 4}[c.offline]
				if len(list) != left {
					w.Errorf("%s: %d grants are listed, want %d", name, len(list), left)
				}
				for crashed && more { // to the end, which leaves the same
					_, more, err = w.EndSessions(w.ctx, c.sel, cause("mass"), at, storage.Change{}, 1, noPlan)
					w.must(err)
				}
				list, err = w.ListGrants(w.ctx, "ann", "", false, at)
				w.must(err)
				if len(list) != left {
					w.Errorf("%s: %d grants are left, want %d", name, len(list), left)
				}
			}
		}
	},
	"MassEndingGoesOnAfterACrashAndEndsEachOnce": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app")
		want := map[string]bool{}
		for i := range 25 {
			id := fmt.Sprintf("s%02d", i)
			w.mustSession(id, []string{"ann", "bob"}[i%2], t0)
			w.mustRedeem(storage.SessionID(id), []string{"ann", "bob"}[i%2], "app", t0)
			want[id] = true
		}
		w.mustRedeemOffline("s00", "ann", "app", t0)
		sel, at := storage.Selector{Everyone: true, Offline: true}, after(time.Second)
		planned := map[string]int{}
		plan := func(e storage.Ended) storage.Plan {
			return storage.Plan{
				Report:     &storage.Report{ID: "report of " + string(e.Session.ID), Cause: e.Cause, Subject: e.User.Subject, At: e.At, Keep: after(1e15)},
				Deliveries: []storage.Delivery{{ID: "delivery of " + string(e.Session.ID), State: storage.DeliveryPending, Created: e.At, Next: e.At, GiveUp: after(1e15)}},
			}
		}
		begun := 0
		for more := true; more; {
			var ended []storage.Ended
			var err error
			ended, more, err = w.EndSessions(w.ctx, sel, cause("mass"), at, storage.Change{}, 4, plan)
			w.must(err)
			for _, e := range ended {
				planned[string(e.Session.ID)]++
			}
			w.mustSession(fmt.Sprint("later", begun), "ann", at.Add(time.Millisecond)) // life goes on
			w.restart()
			list, err := w.ListEndings(w.ctx)
			w.must(err)
			mustEqual(w, "endings", len(list), 1)
			mustEqual(w, "finished", !list[0].Finished.IsZero(), !more)
			sel, at = list[0].Selector, list[0].At // all that is left after a crash
			if begun++; begun > 20 {
				w.Fatal("the ending does not come to an end")
			}
		}
		for id := range want {
			mustEqual(w, "times "+id+" ended", planned[id], 1)
		}
		mustEqual(w, "ended in all, one of them without a delivery of its own session", len(planned), len(want))
		list, err := w.ListEndings(w.ctx)
		w.must(err)
		mustEqual(w, "done", list[0].Done, storage.Count{Sessions: 25, Members: 25, Deliveries: 25, Grants: 26})
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "later sessions", n, begun)
		byState, _, err := w.CountDeliveries(w.ctx)
		w.must(err)
		mustEqual(w, "deliveries", byState[storage.DeliveryPending], 25)
		mustEqual(w, "reports", len(pages(w, func(p storage.Page) ([]storage.Report, string, error) {
			return w.ListReports(w.ctx, storage.ReportFilter{Cause: "mass"}, p)
		})), 25)
		ended, more, err := w.EndSessions(w.ctx, sel, cause("mass"), at, storage.Change{}, 4, plan)
		w.must(err)
		if len(ended) > 0 || more {
			w.Fatal("a finished ending ended more")
		}
	},
	"EndingOfOfflineGrantsAloneLeavesAllElse": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		bound, unused := w.mustRedeem(id, "ann", "app", t0), w.code(id, "ann", "app", t0)
		first, second, foreign := w.mustRedeemOffline(id, "ann", "app", t0), w.mustRedeemOffline(id, "ann", "app", t0), w.mustRedeemOffline(id, "ann", "other", t0)
		own := storage.Token{Hash: storage.HashOf("own"), Client: "app", Issued: t0, Expires: after(time.Hour)}
		w.must(w.PutToken(w.ctx, own))
		sel, at := storage.Selector{Client: "app", Offline: true, OfflineOnly: true}, after(time.Second)
		for more, page := true, 1; more; page++ { // and it is so from the first page on
			var err error
			_, more, err = w.EndSessions(w.ctx, sel, cause("offline"), at, storage.Change{}, 1, noPlan)
			w.must(err)
			mustEqual(w, "more", more, page == 1)
			if w.grantAlive(first, at) || w.grantAlive(second, at) || w.tokenAlive(first, at) {
				w.Fatal("offline access lives on")
			}
			if !w.alive(id, at) || !w.tokenAlive(bound, at) || !w.grantAlive(bound, at) || !w.grantAlive(foreign, at) || !w.tokenAlive(foreign, at) {
				w.Fatal("something that was not selected died")
			}
			w.must(w.LiveOwnToken(w.ctx, "app", t0))
			_, _, err = w.Token(w.ctx, own.Hash, at)
			w.must(err)
			w.restart()
		}
		_, err := w.Redeem(w.ctx, unused, at, issue(unused, at))
		w.must(err)
	},
	"OfflineGrantsCountAgainstTheLimit": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		for range 10 {
			w.mustRedeemOffline(id, "ann", "app", t0)
		}
		w.mustEnd(storage.Selector{Sessions: []storage.SessionID{id}}, t0, storage.Change{}) // no session is left
		for _, sel := range []storage.Selector{{Subject: "ann", Offline: true}, {Client: "app", Offline: true}} {
			pagesDone, total := 0, 0
			for more := true; more && total < 5; pagesDone++ {
				var ended []storage.Ended
				var err error
				ended, more, err = w.EndSessions(w.ctx, sel, cause("mass of "+sel.Subject), after(time.Second), storage.Change{}, 3, noPlan)
				w.must(err)
				if len(ended) > 3 {
					w.Fatalf("a page of at most 3 has %d", len(ended))
				}
				total += len(ended)
				list, err := w.ListGrants(w.ctx, "ann", "", true, after(time.Second))
				w.must(err)
				mustEqual(w, "grants alive after the first page", len(list), 0)
			}
			if sel.Client != "" {
				mustEqual(w, "total", total, 4)
			}
		}
		list, err := w.ListGrants(w.ctx, "ann", "", true, after(time.Second))
		w.must(err)
		mustEqual(w, "grants", len(list), 0)
	},
	"MemberThatJoinsDuringAClientsMassEndingLivesBesideTheOneThatDied": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		old := map[storage.SessionID]storage.Code{}
		for i := range 5 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			old[id] = w.mustRedeem(id, "ann", "app", t0)
		}
		sel, at, later := storage.Selector{Client: "app"}, after(time.Second), after(2*time.Second)
		told := map[string]bool{}
		step := func() (more bool) {
			ended, more, err := w.EndSessions(w.ctx, sel, cause("mass"), at, storage.Change{}, 2, noPlan)
			w.must(err)
			for _, e := range ended {
				mustEqual(w, "whole", e.Whole, false)
				for _, m := range e.Session.Members {
					told[m.SID] = true
				}
			}
			return more
		}
		step()
		fresh := map[storage.SessionID]storage.Code{}
		for id := range old {
			fresh[id] = w.mustRedeem(id, "ann", "app", later)
			n, err := w.Session(w.ctx, id, later)
			w.must(err)
			mustEqual(w, "members", len(n.Members), 1)
			mustEqual(w, "sid", n.Members[0].SID, fresh[id].SID)
		}
		for step() {
			continue
		}
		for id := range old {
			if !told[old[id].SID] || told[fresh[id].SID] {
				w.Fatalf("session %s: the old share told: %v, the new one: %v", id, told[old[id].SID], told[fresh[id].SID])
			}
			if w.tokenAlive(old[id], later) || !w.tokenAlive(fresh[id], later) {
				w.Fatal("not exactly the old share died")
			}
		}
	},
	"ChangeOfAMassEndingIsWrittenInItsFirstTransaction": func(w *world) {
		w.mustUsers("ann")
		for i := range 5 {
			w.mustSession(fmt.Sprint("s", i), "ann", t0)
		}
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Disabled = true
		sel := storage.Selector{Subject: "ann"}
		_, _, err = w.EndSessions(w.ctx, sel, cause("mass"), after(1e9), storage.Change{User: &u}, 2, noPlan)
		w.must(err)
		got, err := w.User(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "disabled", got.Disabled, true)
		ended, _, err := w.EndSessions(w.ctx, sel, cause("mass"), after(1e9), storage.Change{}, 0, noPlan)
		w.must(err)
		mustEqual(w, "the rest", len(ended), 3)
	},
	"CountChangesNothing": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		w.must(w.PutClient(w.ctx, storage.Client{Metadata: storage.Metadata{ClientID: "deaf"}, Created: t0}))
		id := w.mustSession("s", "ann", t0)
		for _, client := range []string{"app", "deaf"} {
			w.mustRedeem(id, "ann", client, t0)
		}
		w.mustRedeemOffline(id, "ann", "deaf", t0)
		for range 2 {
			n, err := w.CountEndings(w.ctx, storage.Selector{Everyone: true, Offline: true}, t0)
			w.must(err)
			mustEqual(w, "count", n, storage.Count{Sessions: 1, Members: 2, Deliveries: 1, Grants: 3})
			n, err = w.CountEndings(w.ctx, storage.Selector{Client: "deaf"}, t0)
			w.must(err)
			mustEqual(w, "count at a client", n, storage.Count{Members: 1, Grants: 1})
		}
		if !w.alive(id, t0) {
			w.Fatal("counting ended a session")
		}
	},
}
