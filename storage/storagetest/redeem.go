package storagetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var redeemTests = map[string]func(*world){
	"SessionHasAtMostMaxGrants": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		session := w.mustSession("s", "ann", t0)
		var codes []storage.Code
		for range storage.MaxGrants + 20 {
			codes = append(codes, w.code(session, "ann", "app", t0))
		}
		var wg sync.WaitGroup
		var redeemed, refused atomic.Int64
		for part := range slices.Chunk(codes, len(codes)/20) {
			wg.Go(func() {
				for _, code := range part {
					_, err := w.Redeem(w.ctx, code, t0, issue(code, t0))
					switch {
					case err == nil:
						redeemed.Add(1)
					case errors.Is(err, storage.ErrLimit):
						refused.Add(1)
					default:
						w.Error(err)
					}
				}
			})
		}
		wg.Wait()
		mustEqual(w, "grants and refusals", [2]int64{redeemed.Load(), refused.Load()}, [2]int64{storage.MaxGrants, 20})
	},
	"CodeIsRedeemedByOneOfFiftyCallersAndTheOthersGetItsGrant": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", t0)
		var won, reused atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				r, err := w.Redeem(w.ctx, code, after(time.Second), issue(code, after(time.Second)))
				switch {
				case err != nil:
					w.Error(err)
				case r.Reused:
					reused.Add(1)
					if r.Grant.ID != "grant of "+code.ID {
						w.Errorf("the first use gave %q", r.Grant.ID)
					}
				default:
					won.Add(1)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "won", won.Load(), 1)
		mustEqual(w, "reused", reused.Load(), 49)
		w.mustEnd(storage.Selector{Grant: "grant of " + code.ID}, after(time.Second), storage.Change{})
		if w.grantActive(code, after(time.Second)) || w.tokenActive(code, after(time.Second)) ||
			!w.sessionActive(id, after(time.Second)) {
			w.Fatal("not exactly the grant ended")
		}
		r, err := w.Redeem(w.ctx, code, after(time.Second), issue(code, after(time.Second)))
		w.must(err)
		mustEqual(w, "reused when the grant is gone", r, storage.RedeemResult{Reused: true})
	},
	"AnotherEncodingOfAUsedCodeIsTheSameCode": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		w.restart()
		spelt := code // the same id inside, other text around it: another sid, another issue
		spelt.SID = "another sid"
		r, err := w.Redeem(w.ctx, spelt, after(time.Second), issue(w.code(id, "ann", "app", t0), after(time.Second)))
		w.must(err)
		mustEqual(w, "reused", r.Reused, true)
		mustEqual(w, "what the first use gave", r.Grant.ID, "grant of "+code.ID)
	},
	"RedemptionStoresClientSessionGrantAndTokens": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", after(time.Second))
		at := after(2 * time.Second)
		r, err := w.Redeem(
			w.ctx,
			code,
			at,
			func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
				mustEqual(
					w,
					"client session",
					cs,
					storage.ClientSession{Client: "app", SID: code.SID, Joined: at, LastUsed: at},
				)
				mustEqual(w, "client session in the session", *session.ClientSession("app"), cs)
				return issue(code, at)(session, cs)
			},
		)
		w.must(err)
		stored, err := w.Session(w.ctx, id, at)
		w.must(err)
		mustEqual(w, "session", stored, r.Session)
		k, g, err := w.Token(w.ctx, storage.HashOf("token of "+code.ID), at)
		w.must(err)
		mustEqual(w, "grant", g, r.Grant)
		mustEqual(w, "token", k, storage.Token{
			Hash:    storage.HashOf("token of " + code.ID),
			Grant:   g.ID,
			SID:     code.SID,
			Client:  "app",
			Subject: "ann",
			Scope:   []string{"openid"},
			Issued:  at,
			Expires: at.Add(time.Hour),
		})
		live, err := w.ActiveGrant(w.ctx, g.ID, code.SID, at)
		w.must(err)
		mustEqual(w, "active grant", live, g)
		list, err := w.ListGrants(w.ctx, "ann", "", false, at)
		w.must(err)
		mustEqual(w, "grants", list, []storage.Grant{g})
	},
	"SecondRedemptionKeepsTheSIDAndExtendsTheTokenExpiry": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		first := w.mustRedeem(id, "ann", "app", t0)
		w.mustRedeem(id, "ann", "app", after(time.Minute))
		session, err := w.Session(w.ctx, id, after(time.Minute))
		w.must(err)
		mustEqual(w, "client sessions", session.ClientSessions, []storage.ClientSession{{
			Client:   "app",
			SID:      first.SID,
			Joined:   t0,
			LastUsed: after(time.Minute),
			TokenExpiry: storage.TokenExpiry{
				Opaque:      after(61 * time.Minute),
				IDToken:     after(11 * time.Minute),
				LastIDToken: after(time.Minute),
			},
		}})
		mustEqual(w, "the authorization request kept the session active", session.LastActive, after(time.Minute))
	},
	"FailedIssueDoesNotUseUpTheCode": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", t0)
		broken := errors.New("no signer")
		_, err := w.Redeem(w.ctx, code, t0, func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{}, broken
		})
		w.mustBe(err, broken)
		session, err := w.Session(w.ctx, id, t0)
		w.must(err)
		mustEqual(w, "client sessions", len(session.ClientSessions), 0)
		_, err = w.Redeem(w.ctx, code, t0, issue(code, t0))
		w.must(err)
	},
	"PanicInACallbackDoesNotAffectOtherCallers": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		var wg sync.WaitGroup
		for i := range 10 {
			code := w.code(id, "ann", "app", t0)
			wg.Go(func() {
				_, err := w.Redeem(
					w.ctx,
					code,
					t0,
					func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
						if i%3 == 0 {
							panic("a bug")
						}
						return issue(code, t0)(session, cs)
					},
				)
				if (err != nil) != (i%3 == 0) {
					w.Errorf("caller %d: got error %v", i, err)
				}
			})
		}
		wg.Wait()
		list, err := w.ListGrants(w.ctx, "ann", "app", false, t0)
		w.must(err)
		mustEqual(w, "grants", len(list), 6)
	},
	"NothingIsIssuedWithoutSessionUserAndClient": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "off")
		id := w.mustSession("s", "ann", t0)
		w.must(
			w.PutClient(
				w.ctx,
				storage.Client{Metadata: storage.Metadata{ClientID: "off"}, Disabled: true, Revision: 1},
			),
		)
		for name, change := range map[string]func(*storage.Code){
			"no session":      func(c *storage.Code) { c.Session = "gone" },
			"another user":    func(c *storage.Code) { c.Subject = "bob" },
			"unknown client":  func(c *storage.Code) { c.Client = "nobody" },
			"disabled client": func(c *storage.Code) { c.Client = "off" },
			"expired code":    func(c *storage.Code) { c.Expires = t0 },
		} {
			code := w.code(id, "ann", "app", t0)
			change(&code)
			for verb, do := range map[string]func() error{
				"redeem": func() error { _, err := w.Redeem(w.ctx, code, t0, issue(code, t0)); return err },
				"join":   func() error { _, err := w.Join(w.ctx, code, t0, issue(code, t0)); return err },
			} {
				if err := do(); !errors.Is(err, storage.ErrRevoked) {
					w.Errorf("%s with %s: got error %v, want %v", verb, name, err, storage.ErrRevoked)
				}
			}
		}
	},
	"NothingIsIssuedForADisabledUser": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		w.must(w.PutUser(w.ctx, storage.User{Subject: "ann", Name: "ann", Disabled: true, Revision: 1}))
		lateCode := w.code(id, "ann", "app", t0)
		_, err := w.Redeem(w.ctx, lateCode, t0, issue(lateCode, t0))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.Reauthenticate(w.ctx, id, storage.Authentication{
			SecretHash:  storage.HashOf("new"),
			IdleTimeout: time.Hour,
			Expires:     after(time.Hour),
		}, t0, storage.Event{})
		w.mustBe(err, storage.ErrRevoked)
	},
	"JoinDoesNotUseUpTheCode": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.code(id, "ann", "app", t0)
		r, err := w.Join(w.ctx, code, t0, func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{
				Trust: storage.TokenExpiry{IDToken: after(time.Minute)},
			}, nil // an ID token alone: no grant
		})
		w.must(err)
		mustEqual(w, "sid", r.Session.ClientSession("app").SID, code.SID)
		r, err = w.Redeem(w.ctx, code, t0, issue(code, t0))
		w.must(err)
		mustEqual(w, "sid", r.Session.ClientSession("app").SID, code.SID)
	},
	"SIDOfAnotherClientSessionIsRefused": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		sameCode := w.code(id, "ann", "other", t0)
		sameCode.SID = code.SID
		_, err := w.Redeem(w.ctx, sameCode, t0, issue(sameCode, t0))
		w.mustBe(err, storage.ErrExists)
	},
}
