package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var tokenTests = map[string]func(*world){
	"TokenExpires": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		w.must(w.Touch(w.ctx, id, after(30*time.Minute)))
		code := w.mustRedeem(id, "ann", "app", after(30*time.Minute))
		if !w.tokenActive(code, after(90*time.Minute-time.Millisecond)) || w.tokenActive(code, after(90*time.Minute)) {
			w.Fatal("the token does not expire at its time of expiry")
		}
	},
	"TokenExpiresWithItsIdleSessionWhileManyWaitForTheSweep": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		longer := func(code storage.Code, g storage.Grant) {
			_, err := w.Redeem(
				w.ctx,
				code,
				t0,
				func(_ storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
					g.ID = "grant of " + code.ID
					return storage.Issuance{
						Grant: g,
						Tokens: []storage.Token{
							{
								Hash:    storage.HashOf("token of " + code.ID),
								SID:     cs.SID,
								Issued:  t0,
								Expires: after(24 * time.Hour),
							},
						},
					}, nil
				},
			)
			w.must(err)
		}
		idle, used := w.mustSession("idle", "ann", t0), w.mustSession("used", "ann", t0)
		bound := w.code(idle, "ann", "app", t0)
		offline := w.code(idle, "ann", "app", t0)
		keptCode := w.code(used, "ann", "app", t0)
		longer(bound, storage.Grant{Session: idle})
		longer(offline, storage.Grant{})
		longer(keptCode, storage.Grant{Session: used})
		w.must(w.Touch(w.ctx, used, after(30*time.Minute)))
		session, err := w.Session(w.ctx, idle, t0)
		w.must(err)
		at := session.Deadline().Add(storage.SweepDelay + time.Millisecond)
		sid := session.ClientSessions[0].SID
		for _, code := range []storage.Code{bound, offline} {
			if w.tokenActive(code, at) {
				w.Fatal("a token outlived its session")
			}
			_, err := w.ActiveGrant(w.ctx, "grant of "+code.ID, sid, at)
			w.mustBe(err, storage.ErrNotFound)
		}
		_, err = w.ActiveGrant(w.ctx, "grant of "+offline.ID, "", at)
		w.must(err)
		if !w.tokenActive(keptCode, at) {
			w.Fatal("a token of another session was revoked")
		}
	},
	"TokenIsRevokedWithItsClientAndItsUser": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		w.mustSession("a", "ann", t0)
		w.mustSession("b", "bob", t0)
		byClient := w.mustRedeem("a", "ann", "other", t0)
		byUser := w.mustRedeem("b", "bob", "app", t0)
		untouched := w.mustRedeem("a", "ann", "app", t0)
		w.must(
			w.PutToken(
				w.ctx,
				storage.Token{Hash: storage.HashOf("alone"), Client: "other", Issued: t0, Expires: after(time.Hour)},
			),
		)
		w.must(
			w.PutClient(
				w.ctx,
				storage.Client{Metadata: storage.Metadata{ClientID: "other"}, Disabled: true, Revision: 1},
			),
		)
		_, _, err := w.Token(w.ctx, storage.HashOf("alone"), t0)
		w.mustBe(err, storage.ErrNotFound)
		w.must(w.PutUser(w.ctx, storage.User{Subject: "bob", Name: "bob", Disabled: true, Revision: 1}))
		for _, code := range []storage.Code{byClient, byUser} {
			if w.tokenActive(code, t0) || w.grantActive(code, t0) {
				w.Fatal("a token of a disabled client or user is active")
			}
			_, err := w.ActiveGrant(w.ctx, "grant of "+code.ID, code.SID, t0)
			w.mustBe(err, storage.ErrNotFound)
		}
		if !w.tokenActive(untouched, t0) {
			w.Fatal("another token was revoked")
		}
	},
	"DeletedTokenIsRevokedAndOtherTokensOfItsGrantStay": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		_, err := w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.must(err)
		w.must(w.DeleteToken(w.ctx, storage.HashOf("token of "+code.ID)))
		w.must(w.DeleteToken(w.ctx, storage.HashOf("never issued")))
		if w.tokenActive(code, t0) {
			w.Fatal("a revoked token is active")
		}
		_, _, err = w.Token(w.ctx, storage.HashOf("token with r2"), t0)
		w.must(err)
	},
	"ClientCredentialsTokenEndsWithItsClient": func(w *world) {
		w.mustClients("app", "other")
		app := w.mustClientToken("app", "app", t0, after(24*time.Hour))
		other := w.mustClientToken("other", "other", t0, after(24*time.Hour))
		k, g, err := w.Token(w.ctx, app, t0)
		w.must(err)
		mustEqual(w, "client", k.Client, "app")
		mustEqual(w, "grant", g, storage.Grant{})
		issued := w.sequence()
		disabled := w.mustDisable("app", t0)
		mustNotCount := func(at time.Time) {
			w.Helper()
			_, _, err := w.Token(w.ctx, app, at)
			w.mustBe(err, storage.ErrNotFound)
			w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "app", issued), storage.ErrNotFound)
			late := storage.Token{
				Hash:     storage.HashOf("late"),
				Sequence: issued,
				Client:   "app",
				Expires:  after(100 * time.Hour),
			}
			w.mustBe(w.PutToken(w.ctx, late), storage.ErrRevoked)
		}
		mustNotCount(after(time.Second))
		w.mustEnable(disabled)
		w.restart()
		mustNotCount(after(time.Second))
		_, err = w.Sweep(w.ctx, after(5*time.Hour), 1000)
		w.must(err)
		mustNotCount(after(5 * time.Hour))
		_, _, err = w.Token(w.ctx, other, after(5*time.Hour))
		w.must(err)
		w.must(w.ClientCredentialsTokenActive(w.ctx, "app", w.sequence()))
		w.must(w.ClientCredentialsTokenActive(w.ctx, "other", issued))
		w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "missing", issued), storage.ErrNotFound)
		_, _, err = w.Token(w.ctx, w.mustClientToken("new", "app", t0, after(6*time.Hour)), after(5*time.Hour))
		w.must(err)
		_, err = w.Sweep(w.ctx, after(100*24*time.Hour), 1000) // by a clock that is set back later
		w.must(err)
		mustNotCount(after(5 * time.Hour))
	},
	"CodeIssuedWhileItsClientIsDisabledStaysRevokedAfterItIsEnabledAgain": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		for _, ahead := range []time.Duration{-time.Hour, 0, time.Millisecond, 30 * time.Second} {
			code := w.code(id, "ann", "app", after(ahead)) // issued by a request that had read the client before
			token := w.mustClientToken(w.id("token"), "app", after(ahead), after(time.Hour))
			w.mustEnable(w.mustDisable("app", t0))
			w.restart()
			at := after(time.Second)
			_, _, err := w.Token(w.ctx, token, at)
			w.mustBe(err, storage.ErrNotFound)
			w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "app", code.Sequence), storage.ErrNotFound)
			_, err = w.Redeem(w.ctx, code, at, issue(code, at))
			w.mustBe(err, storage.ErrRevoked)
			w.mustRedeem(id, "ann", "app", at)
		}
	},
	"CodesTokensAndConsentsOfARemovedClientDoNotCountForANewOneWithItsID": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code, issued := w.code(id, "ann", "app", t0), w.sequence()
		token := w.mustClientToken("token", "app", t0, after(time.Hour))
		w.must(
			w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: after(time.Hour)}),
		) // by a clock that is ahead
		w.mustEnd(storage.Selector{Client: "app"}, t0, storage.Change{RemoveClient: "app"})
		w.mustClients("app")
		w.restart()
		_, err := w.Redeem(w.ctx, code, after(time.Second), issue(code, after(time.Second)))
		w.mustBe(err, storage.ErrRevoked)
		_, _, err = w.Token(w.ctx, token, after(time.Second))
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "app", issued), storage.ErrNotFound)
		_, err = w.Consent(w.ctx, "ann", "app")
		w.mustBe(err, storage.ErrNotFound)
		w.must(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "app", At: t0}))
		_, err = w.Consent(w.ctx, "ann", "app")
		w.must(err)
	},
	"ClientCredentialsTokenEndsFromTheFirstPageOfABulkLogout": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i := range 3 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			w.mustRedeem(id, "ann", "app", t0)
		}
		token, issued := w.mustClientToken("old", "app", after(time.Hour), after(2*time.Hour)), w.sequence()
		_, more := w.mustEndPage(storage.Selector{Client: "app"}, "bulk", after(time.Second), 1)
		mustEqual(w, "more", more, true)
		_, _, err := w.Token(w.ctx, token, after(2*time.Second))
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.ClientCredentialsTokenActive(w.ctx, "app", issued), storage.ErrNotFound)
		_, _, err = w.Token(w.ctx, w.mustClientToken("new", "app", t0, after(time.Hour)), after(2*time.Second))
		w.must(err)
		w.must(w.ClientCredentialsTokenActive(w.ctx, "app", w.sequence()))
	},
	"IDIsUsedOnceByFiftyCallers": func(w *world) {
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				switch err := w.MarkUsed(w.ctx, "jti", t0, after(time.Minute), t0); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrAlreadyUsed):
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "won", won.Load(), 1)
	},
	"UsedIDIsRecordedUntilItExpires": func(w *world) {
		w.must(w.MarkUsed(w.ctx, "jti", t0, after(time.Minute), t0))
		w.restart()
		for _, c := range []struct {
			id   string
			at   time.Duration
			want bool
		}{{"jti", 0, true}, {"jti", time.Minute - 1, true}, {"jti", time.Minute, false}, {"other", 0, false}} {
			used, err := w.WasUsed(w.ctx, c.id, t0, after(2*time.Hour), after(c.at))
			w.must(err)
			mustEqual(w, "used", used, c.want)
		}
		w.must(w.MarkUsed(w.ctx, "jti", t0, after(time.Hour), after(time.Minute)))
		_, err := w.Sweep(w.ctx, after(2*time.Minute), 100) // the first use's time is over, the second's is not
		w.must(err)
		w.mustBe(w.MarkUsed(w.ctx, "jti", t0, after(time.Hour), after(3*time.Minute)), storage.ErrAlreadyUsed)
	},
	"OfflineGrantOutlivesItsSessionButItsSessionTokensDoNot": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeemOffline(id, "ann", "app", t0)
		w.mustEnd(storage.Selector{Sessions: []storage.SessionID{id}}, t0, storage.Change{})
		if w.tokenActive(code, t0) {
			w.Fatal("a token with a sid outlived its session")
		}
		_, err := w.ActiveGrant(w.ctx, "grant of "+code.ID, code.SID, t0)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.ActiveGrant(w.ctx, "grant of "+code.ID, "", t0)
		w.must(err)
		_, err = w.Refresh(
			w.ctx,
			storage.RefreshRequest{
				Token:    storage.HashOf("refresh of " + code.ID),
				NewToken: storage.HashOf("r2"),
				Client:   "app",
			},
			t0,
			func(g storage.Grant, session *storage.Session) (storage.Issuance, error) {
				return storage.Issuance{
					Grant:  g,
					Tokens: []storage.Token{{Hash: storage.HashOf("later"), Issued: t0, Expires: after(time.Hour)}},
					Trust:  storage.TokenExpiry{Opaque: after(time.Hour)},
				}, nil
			},
		)
		w.must(err)
		_, g, err := w.Token(w.ctx, storage.HashOf("later"), t0)
		w.must(err)
		mustEqual(w, "trust", g.Trust.Opaque, after(time.Hour))
	},
}

// mustDisable disables a client, ends its client sessions and grants, and returns its record.
func (w *world) mustDisable(id string, at time.Time) storage.Client {
	w.Helper()
	stored, err := w.Client(w.ctx, id)
	w.must(err)
	c := *stored
	c.Disabled, c.Updated = true, at
	w.mustEnd(storage.Selector{Client: id, IncludeOffline: true}, at, storage.Change{Client: &c})
	stored, err = w.Client(w.ctx, id)
	w.must(err)
	return *stored
}

// mustEnable enables a client that was disabled.
func (w *world) mustEnable(c storage.Client) {
	w.Helper()
	c.Disabled = false
	w.must(w.PutClient(w.ctx, c))
}
