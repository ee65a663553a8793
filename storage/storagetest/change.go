package storagetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var changeTests = map[string]func(*world){
	"ChangeIsAppliedEvenIfNothingIsSelected": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Password = "new"
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: t0}))
		next := newSession("next", "ann", t0)
		terminations := w.mustEnd(storage.Selector{Subject: "ann", Except: "next"}, t0, storage.Change{
			User:            &u,
			WithdrawConsent: &storage.Consent{Subject: "ann", Client: "app"},
			NewSession:      &next,
			Events:          []storage.Event{{At: t0, Kind: "user.password", Subject: "ann"}},
		})
		mustEqual(w, "ended", len(terminations), 0)
		got, err := w.User(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "password", got.Password, "new")
		_, err = w.Consent(w.ctx, "ann", "app")
		w.mustBe(err, storage.ErrNotFound)
		if !w.sessionActive("next", t0) {
			w.Fatal("the new session is not there")
		}
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "user."})), 1)
	},
	"RefusedChangeEndsNothing": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		stale := storage.User{Subject: "ann", Name: "ann", Revision: 7}
		taken := storage.User{Subject: "ann", Name: "ann", Email: "bob@example.org", EmailVerified: true, Revision: 1}
		staleClient := storage.Client{Metadata: storage.Metadata{ClientID: "app"}, Revision: 3}
		same, foreign := newSession("s", "ann", t0), newSession("n", "nobody", t0)
		for _, c := range []struct {
			change storage.Change
			want   error
		}{
			{storage.Change{User: &stale}, storage.ErrChanged},
			{storage.Change{User: &taken}, storage.ErrExists},
			{storage.Change{RemoveUser: "nobody"}, storage.ErrNotFound},
			{storage.Change{Client: &staleClient}, storage.ErrChanged},
			{storage.Change{RemoveClient: "nobody"}, storage.ErrNotFound},
			{storage.Change{UseLink: storage.HashOf("gone")}, storage.ErrAlreadyUsed},
			{storage.Change{NewSession: &same}, storage.ErrExists},
			{storage.Change{NewSession: &foreign}, storage.ErrRevoked},
		} {
			_, _, err := w.EndSessions(
				w.ctx,
				storage.EndRequest{Selector: storage.Selector{AllUsers: true}, Cause: cause("x"), Change: c.change},
				t0,
				0,
				noPlan,
			)
			w.mustBe(err, c.want)
			if !w.sessionActive(id, t0) {
				w.Fatalf("%v: the session ended all the same", c.want)
			}
		}
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "session.ended"})), 0)
	},
	"SignInFromBeforeATerminationCannotBeginASessionInAChange": func(w *world) {
		w.mustUsers("ann")
		lateSession := newSession("late", "ann", after(time.Hour))
		w.mustEnd(storage.Selector{Subject: "ann"}, after(time.Second), storage.Change{})
		_, _, err := w.EndSessions(
			w.ctx,
			storage.EndRequest{Cause: cause("x"), Change: storage.Change{NewSession: &lateSession}},
			t0,
			0,
			noPlan,
		)
		w.mustBe(err, storage.ErrRevoked)
	},
	"ChangeBeginsASessionOfAnotherUserAsTheFirstEnds": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustSession("a", "ann", t0)
		next := newSession("b", "bob", after(time.Minute))
		terminations := w.mustEnd(
			storage.Selector{Sessions: sessionsNamed("a")},
			after(time.Minute),
			storage.Change{NewSession: &next},
		)
		mustEqual(w, "ended", sessionIDs(terminations), []string{"a"})
		if w.sessionActive("a", after(time.Minute)) || !w.sessionActive("b", after(time.Minute)) {
			w.Fatal("not exactly the first session ended")
		}
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "sessions", n, 1)
	},
	"TerminationHasUserAndClientsAsTheyWereBeforeTheChange": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "gone")
		id := w.mustSession("s", "ann", t0)
		for _, client := range []string{"app", "gone"} {
			w.mustRedeem(id, "ann", client, t0)
		}
		w.mustEnd(storage.Selector{}, t0, storage.Change{RemoveClient: "gone"})
		terminations := w.mustEnd(
			storage.Selector{AllUsers: true},
			t0,
			storage.Change{RemoveUser: "ann", RemoveClient: "app"},
		)
		mustEqual(w, "user", terminations[0].User.Email, "ann@example.org")
		mustEqual(w, "client", terminations[0].Clients["app"].BackchannelLogoutURI, "https://app.example/logout")
		mustEqual(w, "clients", len(terminations[0].Clients), 1)
		mustEqual(w, "client sessions", len(terminations[0].Session.ClientSessions), 2)
		mustEqual(w, "grants", len(terminations[0].Grants), 2)
	},
	"NewPasswordLeavesNoLink": func(w *world) {
		w.mustUsers("ann", "bob")
		for _, subject := range []string{"ann", "bob"} {
			w.must(w.PutOneTimeLink(w.ctx, storage.OneTimeLink{
				Hash:    storage.HashOf(subject),
				Purpose: "reset",
				Subject: subject,
				Created: t0,
				Expires: after(time.Hour),
			}, storage.Event{At: t0, Kind: "link.made"}))
		}
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Name = "anna"
		_, _, err = w.EndSessions(w.ctx, storage.EndRequest{
			Selector: storage.Selector{Subject: "ann"},
			Cause:    cause("renamed"),
			Change:   storage.Change{User: &u},
		}, t0, 0, noPlan)
		w.must(err)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("ann"), t0)
		w.must(err)
		u, err = w.User(w.ctx, "ann")
		w.must(err)
		u.Password = "another"
		_, _, err = w.EndSessions(w.ctx, storage.EndRequest{
			Selector: storage.Selector{Subject: "ann"},
			Cause:    cause("password"),
			Change:   storage.Change{User: &u},
		}, t0, 0, noPlan)
		w.must(err)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("ann"), t0)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("bob"), t0)
		w.must(err)
	},
	"SecuredUserHasNoLinkAndNoOfflineAccess": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app")
		offline := map[string]storage.Code{}
		for _, subject := range []string{"ann", "bob"} {
			offline[subject] = w.mustRedeemOffline(w.mustSession("of "+subject, subject, t0), subject, "app", t0)
		}
		mustPutLinks := func() {
			for _, subject := range []string{"ann", "bob"} {
				link := storage.OneTimeLink{
					Hash:    storage.HashOf(subject),
					Purpose: "reset",
					Subject: subject,
					Created: t0,
					Expires: after(time.Hour),
				}
				w.must(w.PutOneTimeLink(w.ctx, link, storage.Event{At: t0, Kind: "link.made"}))
			}
		}
		mustSecureAnn := func(at time.Time, keepOffline bool) {
			req := storage.EndRequest{
				Selector: storage.Selector{Subject: "ann"},
				Cause:    cause("secured " + at.String()),
			}
			req.SecureUser("ann", keepOffline)
			_, _, err := w.EndSessions(w.ctx, req, at, 0, noPlan)
			w.must(err)
			_, err = w.OneTimeLink(w.ctx, storage.HashOf("ann"), at)
			w.mustBe(err, storage.ErrNotFound)
			_, err = w.OneTimeLink(w.ctx, storage.HashOf("bob"), at)
			w.must(err)
		}
		mustPutLinks()
		mustSecureAnn(after(time.Second), true)
		mustEqual(w, "offline access that was kept", w.grantActive(offline["ann"], after(time.Second)), true)
		mustPutLinks()
		mustSecureAnn(after(2*time.Second), false)
		mustEqual(w, "offline access", w.grantActive(offline["ann"], after(2*time.Second)), false)
		mustEqual(w, "offline access of another user", w.grantActive(offline["bob"], after(2*time.Second)), true)
	},
	"LinkIsUsedByOneTerminationOnly": func(w *world) {
		w.mustUsers("ann")
		link := storage.HashOf("link")
		w.must(w.PutOneTimeLink(w.ctx, storage.OneTimeLink{
			Hash:    link,
			Purpose: "reset",
			Subject: "ann",
			Created: t0,
			Expires: after(time.Hour),
		}, storage.Event{At: t0, Kind: "link.made"}))
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, _, err := w.EndSessions(w.ctx, storage.EndRequest{
					Selector: storage.Selector{Subject: "ann"},
					Cause:    cause("reset"),
					Change:   storage.Change{UseLink: link},
				}, t0, 0, noPlan)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, storage.ErrAlreadyUsed) {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "won", won.Load(), 1)
		_, err := w.OneTimeLink(w.ctx, link, t0)
		w.mustBe(err, storage.ErrNotFound)
	},
	"ReportNamesTheAuditLineOfItsTermination": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		w.mustRedeem(id, "ann", "app", t0)
		w.mustRedeem(id, "ann", "other", t0)
		offline := w.mustRedeemOffline(id, "ann", "other", t0)
		hash := storage.SessionHash(id)
		report := func(name string) func(storage.Termination) storage.Plan {
			return func(e storage.Termination) storage.Plan {
				return storage.Plan{
					Report: &storage.Report{
						ID:          name,
						Cause:       e.Cause,
						Subject:     e.User.Subject,
						EndedAt:     e.EndedAt,
						DeleteAfter: after(time.Hour),
					},
				}
			}
		}
		for _, c := range []struct {
			sel                   storage.Selector
			kind, session, client string
		}{
			{storage.Selector{Sessions: sessionsNamed(id), Client: "app"}, "client_session.ended", hash, "app"},
			{storage.Selector{Sessions: sessionsNamed(id)}, "session.ended", hash, ""},
			{storage.Selector{Grant: "grant of " + offline.ID}, "grant.ended", "", "other"},
		} {
			why := cause(w.id("cause"))
			_, _, err := w.EndSessions(w.ctx, storage.EndRequest{Selector: c.sel, Cause: why}, t0, 0, report(why.ID))
			w.must(err)
			r, err := w.Report(w.ctx, why.ID)
			w.must(err)
			all := w.events(storage.EventFilter{})
			line := all[len(all)-1]
			mustEqual(w, "lines", r.Audit, []uint64{line.Seq})
			mustEqual(w, "line", []string{
				line.Kind,
				string(line.Reason),
				line.Cause,
				line.By,
				line.Subject,
				line.Session,
				line.Client,
				line.Address,
			}, []string{c.kind, string(why.Reason), why.ID, why.By, "ann", c.session, c.client, why.Address})
		}
	},
	"PlanGetsTheTerminationsThatEndSessionsReturns": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		w.mustRedeem(id, "ann", "app", t0)
		var planned []storage.Termination
		terminations, _, err := w.EndSessions(
			w.ctx,
			storage.EndRequest{Selector: storage.Selector{AllUsers: true}, Cause: cause("x")},
			t0,
			0,
			func(e storage.Termination) storage.Plan {
				planned = append(slices.Clip(planned[:0]), e)
				return storage.Plan{}
			},
		)
		w.must(err)
		mustEqual(w, "planned", planned, terminations)
	},
}
