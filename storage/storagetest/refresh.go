package storagetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var refreshTests = map[string]func(*world){
	"RefreshRotatesAndKeepsTheSessionActive": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		at := after(50 * time.Minute)
		out, err := w.refresh("refresh of "+code.ID, "r2", "app", at)
		w.must(err)
		mustEqual(w, "repeated or reused", out.Repeated || out.Reused, false)
		mustEqual(w, "current", out.Grant.RefreshHash, storage.HashOf("r2"))
		mustEqual(w, "previous", out.Grant.PreviousHash, storage.HashOf("refresh of "+code.ID))
		if !w.sessionActive(id, after(109*time.Minute)) {
			w.Fatal("a refresh did not keep its session active")
		}
		mustEqual(w, "last active", out.Session.LastActive, at)
		_, g, err := w.Token(w.ctx, storage.HashOf("token with r2"), at)
		w.must(err)
		mustEqual(w, "grant", g, out.Grant)
		w.restart()
		g, current, err := w.GrantByRefresh(w.ctx, storage.HashOf("r2"), at)
		w.must(err)
		mustEqual(w, "grant", g, out.Grant)
		mustEqual(w, "current", current, true)
		_, current, err = w.GrantByRefresh(w.ctx, storage.HashOf("refresh of "+code.ID), at)
		w.must(err)
		mustEqual(w, "exchanged token current", current, false)
	},
	"OneOfManyRefreshesRotatesAndTheOthersRepeatIt": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		var rotated, repeated atomic.Int32
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				at := after(time.Second)
				out, err := w.Refresh(w.ctx, storage.RefreshRequest{
					Token:    storage.HashOf("refresh of " + code.ID),
					NewToken: storage.HashOf("r2"),
					Client:   "app",
					Grace:    10 * time.Second,
				}, at, func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
					return storage.Issuance{
						Grant: g,
						Tokens: []storage.Token{
							{
								Hash:    storage.HashOf(fmt.Sprint("access ", i)),
								SID:     g.SID,
								Issued:  at,
								Expires: at.Add(time.Hour),
							},
						},
					}, nil
				})
				switch {
				case err != nil || out.Reused:
					w.Errorf("got %+v, error %v", out, err)
				case out.Repeated:
					repeated.Add(1)
				default:
					rotated.Add(1)
				}
				if out.Grant.RefreshHash != storage.HashOf("r2") {
					w.Error("another successor")
				}
			})
		}
		wg.Wait()
		mustEqual(w, "rotated", rotated.Load(), 1)
		mustEqual(w, "repeated", repeated.Load(), 29)
		for i := range 30 {
			_, _, err := w.Token(w.ctx, storage.HashOf(fmt.Sprint("access ", i)), after(time.Second))
			w.must(err)
		}
	},
	"ReuseAfterTheGraceIsReportedUntilTheGrantEnds": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
		out, err := w.refresh("refresh of "+code.ID, "r2", "app", after(10*time.Second))
		w.must(err)
		mustEqual(w, "repeated at the end of the grace", out.Repeated, true)
		for range 2 { // a process killed before it ends the family loses nothing
			w.restart()
			out, err = w.refresh("refresh of "+code.ID, "r2", "app", after(10*time.Second+time.Millisecond))
			w.must(err)
			mustEqual(w, "reused", out.Reused, true)
			mustEqual(w, "family", out.Grant.ID, "grant of "+code.ID)
			mustEqual(w, "current", out.Grant.RefreshHash, storage.HashOf("r2"))
		}
		w.mustEnd(storage.Selector{Grant: out.Grant.ID}, after(10*time.Second), storage.Change{})
		w.mustFamilyRevoked("app", after(11*time.Second), "refresh of "+code.ID, "r2")
		if w.tokenActive(code, after(11*time.Second)) {
			w.Fatal("an access token of a stolen family is active")
		}
		if !w.sessionActive(id, after(11*time.Second)) {
			w.Fatal("the session ended with the family")
		}
	},
	"ExchangedTokenIsKeptAsLongAsItWouldHaveBeenValid": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		code := w.mustRedeemOffline(w.mustSession("s", "ann", t0), "ann", "app", t0)
		const day = 24 * time.Hour // Idle is 90
		for i, at := range []time.Duration{day, 60 * day, 100 * day} {
			_, err := w.refresh([]string{"refresh of " + code.ID, "r0", "r1"}[i], fmt.Sprint("r", i), "app", after(at))
			w.must(err)
			_, err = w.Sweep(w.ctx, after(at), 1000)
			w.must(err)
		}
		w.restart()
		_, err := w.refresh("refresh of "+code.ID, "r3", "app", after(100*day))
		w.mustBe(err, storage.ErrNotFound)
		for _, token := range []string{"r0", "r1"} {
			out, err := w.refresh(token, "r3", "app", after(101*day))
			w.must(err)
			mustEqual(w, "reused", out.Reused, true)
		}
		_, current, err := w.GrantByRefresh(w.ctx, storage.HashOf("r2"), after(101*day))
		w.must(err)
		mustEqual(w, "current", current, true)
		w.mustEnd(storage.Selector{Grant: "grant of " + code.ID}, after(101*day), storage.Change{})
		_, err = w.Sweep(w.ctx, after(101*day), 1000)
		w.must(err)
		for _, token := range []string{"r0", "r1", "r2"} {
			_, err := w.refresh(token, "r3", "app", after(101*day))
			w.mustBe(err, storage.ErrNotFound)
		}
	},
	"GraceIsNotExtendedByAClockThatWasSetBack": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", after(30*time.Minute))
		w.must(err)
		out, err := w.refresh(
			"refresh of "+code.ID,
			"r2",
			"app",
			after(30*time.Minute-time.Second),
		) // read the clock a little earlier
		w.must(err)
		mustEqual(w, "repeated", out.Repeated, true)
		out, err = w.refresh("refresh of "+code.ID, "r2", "app", after(time.Minute))
		w.must(err)
		mustEqual(w, "reused", out.Reused, true)
		out, err = w.refresh("r2", "r3", "app", after(time.Minute)) // the current one is as good as ever
		w.must(err)
		mustEqual(w, "current", out.Grant.RefreshHash, storage.HashOf("r3"))
	},
	"TokenOlderThanThePreviousOneIsReuseEvenWithinTheGrace": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
		_, err = w.refresh("r2", "r3", "app", t0)
		w.must(err)
		w.restart()
		out, err := w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
		mustEqual(w, "reused", out.Reused, true)
	},
	"EveryTokenOfALongFamilyIsKeptUntilTheGrantEnds": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeemOffline(id, "ann", "app", t0)
		last := "refresh of " + code.ID
		for i := range 30 {
			next := fmt.Sprint("r", i)
			_, err := w.refresh(last, next, "app", after(time.Duration(i)*time.Hour))
			w.must(err)
			last = next
		}
		_, err := w.Sweep(w.ctx, after(40*time.Hour), 1000)
		w.must(err)
		out, err := w.refresh("r3", "r4", "app", after(40*time.Hour))
		w.must(err)
		mustEqual(w, "reused", out.Reused, true)
		w.mustEnd(storage.Selector{Grant: out.Grant.ID}, after(40*time.Hour), storage.Change{})
		for range 10 {
			_, err = w.Sweep(w.ctx, after(40*time.Hour), 7)
			w.must(err)
		}
		_, err = w.refresh("r3", "r4", "app", after(40*time.Hour))
		w.mustBe(err, storage.ErrNotFound)
	},
	"RefreshTokenOfAnotherClientIsUnknown": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "thief")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "thief", t0)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.refresh("never issued", "r2", "app", t0)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
	},
	"RepeatWithAnotherSuccessorIsRefusedAndEndsNothing": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
		_, err = w.refresh("refresh of "+code.ID, "other", "app", t0)
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.refresh("r2", "r3", "app", t0)
		w.must(err)
	},
	"OfflineGrantExpiresByIdleTimeout": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeemOffline(id, "ann", "app", t0)
		day := 24 * time.Hour
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", after(89*day))
		w.must(err)
		_, err = w.Sweep(w.ctx, after(100*day), 1000) // its first deadline has passed, its present one has not
		w.must(err)
		_, err = w.refresh("r2", "r3", "app", after(179*day))
		w.mustBe(err, storage.ErrRevoked)
		out, err := w.refresh("r2", "r3", "app", after(178*day))
		w.must(err)
		mustEqual(w, "session", out.Session, nil)
	},
	"SmallerScopeOfARefreshIsKept": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.Refresh(
			w.ctx,
			storage.RefreshRequest{
				Token:    storage.HashOf("refresh of " + code.ID),
				NewToken: storage.HashOf("r2"),
				Client:   "app",
			},
			t0,
			func(g storage.Grant, session *storage.Session) (storage.Issuance, error) {
				mustEqual(w, "session", session.ID, id)
				g.Scope, g.Subject, g.RefreshHash = []string{"profile"}, "bob", storage.Hash{}
				return storage.Issuance{Grant: g, Trust: storage.TokenExpiry{JWT: after(2 * time.Hour)}}, nil
			},
		)
		w.must(err)
		g, _, err := w.GrantByRefresh(w.ctx, storage.HashOf("r2"), t0)
		w.must(err)
		mustEqual(w, "scope", g.Scope, []string{"profile"})
		mustEqual(w, "subject", g.Subject, "ann")
		session, err := w.Session(w.ctx, id, t0)
		w.must(err)
		mustEqual(w, "trust", session.ClientSessions[0].JWT, after(2*time.Hour))
	},
}

// mustFamilyRevoked stops the test unless the store refuses all these refresh tokens of a revoked grant.
func (w *world) mustFamilyRevoked(client string, at time.Time, tokens ...string) {
	w.Helper()
	for _, token := range tokens {
		w.mustBe(
			func() error { _, err := w.refresh(token, "next of "+token, client, at); return err }(),
			storage.ErrRevoked,
		)
		_, _, err := w.GrantByRefresh(w.ctx, storage.HashOf(token), at)
		w.mustBe(err, storage.ErrNotFound)
	}
}
