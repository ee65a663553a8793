package storagetest

import (
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var bulkLogoutTests = map[string]func(*world){
	"RemovedClientIsPassedToThePlanOnEveryPage": func(w *world) {
		for name, c := range map[string]struct {
			sel    storage.Selector
			change storage.Change // of the first page
		}{
			"by the removal itself":     {storage.Selector{Client: "app"}, storage.Change{RemoveClient: "app"}},
			"by an earlier bulk logout": {storage.Selector{AllUsers: true}, storage.Change{}},
		} {
			w := w.fresh()
			w.mustUsers("ann")
			w.mustClients("app")
			for i := range 4 {
				id := fmt.Sprint("s", i)
				w.mustSession(id, "ann", t0)
				w.mustRedeem(storage.SessionID(id), "ann", "app", t0)
			}
			removed, err := w.Client(w.ctx, "app")
			w.must(err)
			var notified []string
			plan := func(t storage.Termination) storage.Plan {
				if c := t.Clients["app"]; c != nil && c.Revision == removed.Revision {
					notified = append(notified, string(t.Session.ID))
				}
				return storage.Plan{}
			}
			at := after(time.Second)
			request := storage.EndRequest{Selector: c.sel, Cause: cause("bulk"), Change: c.change}
			_, more, err := w.EndSessions(w.ctx, request, at, 1, plan)
			w.must(err)
			if c.change.RemoveClient == "" {
				w.mustEnd(storage.Selector{Client: "app"}, after(2*time.Second), storage.Change{RemoveClient: "app"})
			}
			w.mustClients("app") // a later client with the same id, which is not to be notified
			w.restart()
			request.Change = storage.Change{}
			for more {
				_, more, err = w.EndSessions(w.ctx, request, at, 1, plan)
				w.must(err)
			}
			if len(notified) != 4 {
				w.Errorf("%s: got the client in the terminations of %v, want all four sessions", name, notified)
			}
		}
	},
	"BulkLogoutTakesEffectWithItsFirstPage": func(w *world) {
		type selector = storage.Selector
		all := sessionsNamed("s0", "s1", "s2", "s3")
		for name, c := range map[string]struct {
			sel                             selector
			session, clientSession, offline bool // these have ended
		}{
			"all users":             {selector{AllUsers: true}, true, true, false},
			"all users and offline": {selector{AllUsers: true, IncludeOffline: true}, true, true, true},
			"a user":                {selector{Subject: "ann"}, true, true, false},
			"a user and offline":    {selector{Subject: "ann", IncludeOffline: true}, true, true, true},
			"a client":              {selector{Client: "app"}, false, true, false},
			"a client and offline":  {selector{Client: "app", IncludeOffline: true}, false, true, true},
			"a user at a client":    {selector{Subject: "ann", Client: "app", IncludeOffline: true}, false, true, true},
			"sessions":              {selector{Sessions: all}, true, true, false},
			"sessions and offline":  {selector{Sessions: all, IncludeOffline: true}, true, true, true},
			"client sessions":       {selector{Sessions: all, Client: "app"}, false, true, false},
			"all but one session":   {selector{AllUsers: true, Except: "kept"}, true, true, false},
		} {
			w := w.fresh()
			w.mustUsers("ann")
			w.mustClients("app", "other")
			bound := map[string]storage.Code{}
			offline := map[string]storage.Code{}
			unused := map[string]storage.Code{}
			for i := range 4 {
				id := fmt.Sprint("s", i)
				w.mustSession(id, "ann", t0)
				bound[id] = w.mustRedeem(storage.SessionID(id), "ann", "app", t0)
				offline[id] = w.mustRedeemOffline(storage.SessionID(id), "ann", "app", t0)
				unused[id] = w.code(storage.SessionID(id), "ann", "app", t0)
			}
			at := after(time.Second)
			terminations, more, err := w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: c.sel, Cause: cause("bulk")},
				at,
				1,
				noPlan,
			)
			w.must(err)
			if len(terminations) != 1 || !more {
				w.Fatalf("%s: the first page has %d, more is %v", name, len(terminations), more)
			}
			for _, crashed := range []bool{false, true} {
				if crashed {
					w.restart()
				}
				for id := range bound {
					got := [...]bool{
						!w.sessionActive(storage.SessionID(id), at),
						!w.tokenActive(bound[id], at),
						!w.grantActive(bound[id], at),
						!w.tokenActive(offline[id], at),
						!w.grantActive(offline[id], at),
					}
					want := [...]bool{c.session, c.clientSession, c.clientSession, c.clientSession, c.offline}
					if got != want {
						w.Errorf(
							"%s: session %s: ended are session, token, grant, offline token, offline grant %v, want %v",
							name,
							id,
							got,
							want,
						)
					}
					_, err := w.Redeem(w.ctx, unused[id], at, issue(unused[id], at))
					w.mustBe(err, storage.ErrRevoked)
					_, err = w.refresh("refresh of "+bound[id].ID, "r", "app", at)
					w.mustBe(err, storage.ErrRevoked)
					_, err = w.ActiveGrant(w.ctx, "grant of "+bound[id].ID, bound[id].SID, at)
					w.mustBe(err, storage.ErrNotFound)
					_, err = w.ActiveGrant(w.ctx, "grant of "+bound[id].ID, "", at)
					w.mustBe(err, storage.ErrNotFound)
					_, _, err = w.SessionBySID(w.ctx, bound[id].SID, at)
					w.mustBe(err, storage.ErrNotFound)
				}
				list, err := w.ListGrants(w.ctx, "ann", "", false, at)
				w.must(err)
				remaining := map[bool]int{true: 0, false: 4}[c.offline]
				if len(list) != remaining {
					w.Errorf("%s: %d grants are listed, want %d", name, len(list), remaining)
				}
				for crashed && more { // to the end, which leaves the same
					_, more, err = w.EndSessions(
						w.ctx,
						storage.EndRequest{Selector: c.sel, Cause: cause("bulk")},
						at,
						1,
						noPlan,
					)
					w.must(err)
				}
				list, err = w.ListGrants(w.ctx, "ann", "", false, at)
				w.must(err)
				if len(list) != remaining {
					w.Errorf("%s: %d grants are left, want %d", name, len(list), remaining)
				}
			}
		}
	},
	"BulkLogoutContinuesAfterACrashAndEndsEachSessionOnce": func(w *world) {
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
		sel, at := storage.Selector{AllUsers: true, IncludeOffline: true}, after(time.Second)
		planned := map[string]int{}
		plan := func(e storage.Termination) storage.Plan {
			return storage.Plan{
				Report: &storage.Report{
					ID:          "report of " + string(e.Session.ID),
					Cause:       e.Cause,
					Subject:     e.User.Subject,
					EndedAt:     e.EndedAt,
					DeleteAfter: after(1e15),
				},
				Deliveries: []storage.Delivery{
					{
						ID:          "delivery of " + string(e.Session.ID),
						State:       storage.DeliveryPending,
						Created:     e.EndedAt,
						NextAttempt: e.EndedAt,
						GiveUpAt:    after(1e15),
					},
				},
			}
		}
		started := 0
		for more := true; more; {
			var terminations []storage.Termination
			var err error
			terminations, more, err = w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: sel, Cause: cause("bulk")},
				at,
				4,
				plan,
			)
			w.must(err)
			for _, e := range terminations {
				planned[string(e.Session.ID)]++
			}
			w.mustSession(fmt.Sprint("later", started), "ann", at.Add(time.Millisecond)) // must not end
			w.restart()
			list, err := w.ListBulkLogouts(w.ctx)
			w.must(err)
			mustEqual(w, "bulk logouts", len(list), 1)
			mustEqual(w, "finished", !list[0].Finished.IsZero(), !more)
			sel, at = list[0].Selector, list[0].StartedAt // after a crash the caller knows only these
			started++
			if started > 20 {
				w.Fatal("the bulk logout does not finish")
			}
		}
		for id := range want {
			mustEqual(w, "times "+id+" ended", planned[id], 1)
		}
		mustEqual(w, "ended in all, one of them without a delivery of its own session", len(planned), len(want))
		list, err := w.ListBulkLogouts(w.ctx)
		w.must(err)
		mustEqual(
			w,
			"done",
			list[0].Done,
			storage.TerminationCount{Sessions: 25, ClientSessions: 25, Deliveries: 25, Grants: 26},
		)
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "later sessions", n, started)
		byState, _, err := w.CountDeliveries(w.ctx)
		w.must(err)
		mustEqual(w, "deliveries", byState[storage.DeliveryPending], 25)
		mustEqual(w, "reports", len(pages(w, func(p storage.Page) ([]storage.Report, string, error) {
			return w.ListReports(w.ctx, storage.ReportFilter{Cause: "bulk"}, p)
		})), 25)
		terminations, more, err := w.EndSessions(
			w.ctx,
			storage.EndRequest{Selector: sel, Cause: cause("bulk")},
			at,
			4,
			plan,
		)
		w.must(err)
		if len(terminations) > 0 || more {
			w.Fatal("a finished bulk logout ended more")
		}
	},
	"TerminationOfOfflineGrantsEndsNothingElse": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		bound, unused := w.mustRedeem(id, "ann", "app", t0), w.code(id, "ann", "app", t0)
		first := w.mustRedeemOffline(id, "ann", "app", t0)
		second := w.mustRedeemOffline(id, "ann", "app", t0)
		foreign := w.mustRedeemOffline(id, "ann", "other", t0)
		clientToken := storage.Token{Hash: storage.HashOf("own"), Client: "app", Issued: t0, Expires: after(time.Hour)}
		w.must(w.PutToken(w.ctx, clientToken))
		sel, at := storage.Selector{Client: "app", IncludeOffline: true, OfflineOnly: true}, after(time.Second)
		for more, page := true, 1; more; page++ { // the grants are revoked from the first page on
			var err error
			_, more, err = w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: sel, Cause: cause("offline")},
				at,
				1,
				noPlan,
			)
			w.must(err)
			mustEqual(w, "more", more, page == 1)
			if w.grantActive(first, at) || w.grantActive(second, at) || w.tokenActive(first, at) {
				w.Fatal("offline access lives on")
			}
			if !w.sessionActive(id, at) || !w.tokenActive(bound, at) || !w.grantActive(bound, at) ||
				!w.grantActive(foreign, at) ||
				!w.tokenActive(foreign, at) {
				w.Fatal("something that was not selected ended")
			}
			w.must(w.ClientCredentialsTokenActive(w.ctx, "app", 0))
			_, _, err = w.Token(w.ctx, clientToken.Hash, at)
			w.must(err)
			w.restart()
		}
		_, err := w.Redeem(w.ctx, unused, at, issue(unused, at))
		w.must(err)
	},
	"OfflineGrantsCountAgainstTheLimit": func(w *world) {
		for _, sel := range []storage.Selector{
			{Subject: "ann", IncludeOffline: true},
			{Client: "app", IncludeOffline: true},
		} {
			w := w.fresh()
			w.mustUsers("ann")
			w.mustClients("app")
			id := w.mustSession("s", "ann", t0)
			for range 10 {
				w.mustRedeemOffline(id, "ann", "app", t0)
			}
			w.mustEnd(storage.Selector{Sessions: []storage.SessionID{id}}, t0, storage.Change{}) // no session is left
			var pageSizes []int
			for more := true; more; {
				var terminations []storage.Termination
				terminations, more = w.mustEndPage(sel, "bulk", after(time.Second), 3)
				pageSizes = append(pageSizes, len(terminations))
				list, err := w.ListGrants(w.ctx, "ann", "", true, after(time.Second))
				w.must(err)
				mustEqual(w, "active grants after the first page", len(list), 0)
			}
			mustEqual(w, "pages", pageSizes, []int{3, 3, 3, 1})
		}
	},
	"OtherTerminationsLeaveTheSessionsOfABulkLogoutToIt": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i := range 5 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			w.mustRedeem(id, "ann", "app", t0)
			w.mustRedeemOffline(id, "ann", "app", t0)
		}
		sel, at := storage.Selector{AllUsers: true, IncludeOffline: true}, after(time.Second)
		w.mustEndPage(sel, "bulk", at, 1)
		for _, other := range []storage.Selector{
			{Sessions: sessionsNamed("s4"), IncludeOffline: true},
			{Subject: "ann", IncludeOffline: true},
			{AllUsers: true},
			{Client: "app", IncludeOffline: true},
			{Expired: true},
			{Subject: "ann", IncludeOffline: true, OfflineOnly: true},
		} {
			terminations := w.mustEnd(other, after(100*time.Hour), storage.Change{})
			mustEqual(w, fmt.Sprintf("ended by %+v", other), len(terminations), 0)
		}
		for more := true; more; {
			_, more = w.mustEndPage(sel, "bulk", at, 1)
		}
		list, err := w.ListBulkLogouts(w.ctx)
		w.must(err)
		mustEqual(
			w,
			"done",
			list[0].Done,
			storage.TerminationCount{Sessions: 5, ClientSessions: 5, Deliveries: 5, Grants: 10},
		)
	},
	"CountOfABulkLogoutStaysTheSameWhileItIsUnderWay": func(w *world) {
		for _, sel := range []storage.Selector{
			{AllUsers: true, IncludeOffline: true},
			{AllUsers: true, Except: "s03", IncludeOffline: true},
			{Subject: "ann"},
			{Client: "app", IncludeOffline: true},
			{Client: "app"},
			{Sessions: sessionsNamed("s01", "s05", "s02", "s07"), IncludeOffline: true},
		} {
			w := w.fresh()
			w.mustUsers("ann", "bob")
			w.mustClients("app", "other")
			for i := range 9 {
				subject := []string{"ann", "bob"}[i%2]
				id := w.mustSession(fmt.Sprintf("s%02d", i), subject, t0)
				w.mustRedeem(id, subject, "app", t0)
				w.mustRedeem(id, subject, "other", t0)
				w.mustRedeemOffline(id, subject, "app", t0)
			}
			w.mustEnd(
				storage.Selector{Sessions: sessionsNamed("s08")},
				t0,
				storage.Change{},
			) // its offline access stays
			want, err := w.CountTerminations(w.ctx, storage.Selection{Selector: sel})
			w.must(err)
			bulk := storage.BulkLogout{Selector: sel, Cause: cause("bulk"), StartedAt: after(time.Second)}
			for more, page := true, 0; more; page++ {
				_, more = w.mustEndPage(sel, "bulk", bulk.StartedAt, 1)
				got, err := w.CountBulkLogout(w.ctx, bulk)
				w.must(err)
				mustEqual(w, fmt.Sprintf("%+v: count after page %d", sel, page), got, want)
				next := w.mustSession(fmt.Sprint("later", page), "ann", t0) // must not change the count
				w.mustRedeem(next, "ann", "app", t0)
				w.mustRedeemOffline(next, "ann", "app", t0)
			}
			list, err := w.ListBulkLogouts(w.ctx)
			w.must(err)
			mustEqual(w, fmt.Sprintf("%+v: done", sel), list[0].Done, want)
		}
	},
	"ClientSessionThatBeginsDuringABulkLogoutDoesNotEnd": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		old := map[storage.SessionID]storage.Code{}
		for i := range 5 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			old[id] = w.mustRedeem(id, "ann", "app", t0)
		}
		sel, at, later := storage.Selector{Client: "app"}, after(time.Second), after(2*time.Second)
		notified := map[string]bool{}
		step := func() (more bool) {
			terminations, more, err := w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: sel, Cause: cause("bulk")},
				at,
				2,
				noPlan,
			)
			w.must(err)
			for _, e := range terminations {
				mustEqual(w, "whole", e.WholeSession, false)
				for _, cs := range e.Session.ClientSessions {
					notified[cs.SID] = true
				}
			}
			return more
		}
		step()
		fresh := map[storage.SessionID]storage.Code{}
		for id := range old {
			fresh[id] = w.mustRedeem(id, "ann", "app", later)
			session, err := w.Session(w.ctx, id, later)
			w.must(err)
			mustEqual(w, "client sessions", len(session.ClientSessions), 1)
			mustEqual(w, "sid", session.ClientSessions[0].SID, fresh[id].SID)
		}
		for step() {
			continue
		}
		for id := range old {
			if !notified[old[id].SID] || notified[fresh[id].SID] {
				w.Fatalf(
					"session %s: the old client session notified: %v, the new one: %v",
					id,
					notified[old[id].SID],
					notified[fresh[id].SID],
				)
			}
			if w.tokenActive(old[id], later) || !w.tokenActive(fresh[id], later) {
				w.Fatal("not exactly the old client session ended")
			}
		}
	},
	"ChangeOfABulkLogoutIsWrittenInItsFirstTransaction": func(w *world) {
		w.mustUsers("ann")
		for i := range 5 {
			w.mustSession(fmt.Sprint("s", i), "ann", t0)
		}
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Disabled = true
		sel := storage.Selector{Subject: "ann"}
		_, _, err = w.EndSessions(
			w.ctx,
			storage.EndRequest{Selector: sel, Cause: cause("bulk"), Change: storage.Change{User: &u}},
			after(1e9),
			2,
			noPlan,
		)
		w.must(err)
		got, err := w.User(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "disabled", got.Disabled, true)
		terminations, _, err := w.EndSessions(
			w.ctx,
			storage.EndRequest{Selector: sel, Cause: cause("bulk")},
			after(1e9),
			0,
			noPlan,
		)
		w.must(err)
		mustEqual(w, "the rest", len(terminations), 3)
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
			n, err := w.CountTerminations(
				w.ctx,
				storage.Selection{Selector: storage.Selector{AllUsers: true, IncludeOffline: true}},
			)
			w.must(err)
			mustEqual(w, "count", n, storage.TerminationCount{Sessions: 1, ClientSessions: 2, Deliveries: 1, Grants: 3})
			n, err = w.CountTerminations(w.ctx, storage.Selection{Selector: storage.Selector{Client: "deaf"}})
			w.must(err)
			mustEqual(w, "count at a client", n, storage.TerminationCount{ClientSessions: 1, Grants: 1})
		}
		if !w.sessionActive(id, t0) {
			w.Fatal("counting ended a session")
		}
	},
}
