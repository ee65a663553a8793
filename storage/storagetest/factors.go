package storagetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// annsFactors returns one factor of each kind.
func annsFactors() storage.Factors {
	return storage.Factors{
		Subject: "ann",
		Passkeys: []storage.Passkey{{
			ID:             []byte{1, 2},
			Name:           "Laptop",
			PublicKey:      []byte{3},
			AAGUID:         []byte{4},
			Transports:     []string{"usb"},
			SignCount:      7,
			BackupEligible: true,
			Created:        t0,
		}},
		TOTP:            &storage.TOTP{Wrapped: []byte{5, 6}, LastStep: 9, Created: t0},
		RecoveryCodes:   []storage.Hash{storage.HashOf("first"), storage.HashOf("second")},
		RecoveryCreated: t0,
		Browsers: []storage.RememberedBrowser{
			{SecretHash: storage.HashOf("browser"), Created: t0, Expires: after(time.Hour)},
		},
	}
}

// mustFactors stores annsFactors and returns them as they are stored.
func (w *world) mustFactors() storage.Factors {
	w.Helper()
	w.must(w.ChangeFactors(w.ctx, "ann", func(f *storage.Factors) error {
		revision := f.Revision
		*f = annsFactors()
		f.Revision = revision
		return nil
	}, storage.Event{At: t0, Kind: "user.factor", Subject: "ann"}))
	return w.factors("ann")
}

// factors returns a user's factors.
func (w *world) factors(subject string) storage.Factors {
	w.Helper()
	f, err := w.Factors(w.ctx, subject)
	w.must(err)
	return f
}

var factorTests = map[string]func(*world){
	"FactorsAreStoredWhole": func(w *world) {
		w.mustUsers("ann")
		mustEqual(w, "factors of a user without any", w.factors("ann"), storage.Factors{Subject: "ann"})
		w.mustFactors()
		w.restart()
		want := annsFactors()
		want.Revision = 1
		mustEqual(w, "factors", w.factors("ann"), want)
		events, _, err := w.ListEvents(w.ctx, storage.EventFilter{Kind: "user.factor"}, storage.Page{})
		w.must(err)
		mustEqual(w, "audit lines", len(events), 1)
	},
	"RefusedChangeOfFactorsStoresNothing": func(w *world) {
		w.mustUsers("ann")
		before, refused := w.mustFactors(), errors.New("refused")
		err := w.ChangeFactors(w.ctx, "ann", func(f *storage.Factors) error {
			f.TOTP, f.Passkeys[0].SignCount = nil, 99
			return refused
		}, storage.Event{Kind: "user.refused"})
		if err != refused {
			w.Fatalf("got %v, want the error of the callback as it is", err)
		}
		mustEqual(w, "factors", w.factors("ann"), before)
		events, _, err := w.ListEvents(w.ctx, storage.EventFilter{Kind: "user.refused"}, storage.Page{})
		w.must(err)
		mustEqual(w, "audit lines", len(events), 0)
	},
	"FactorsOfAnUnknownOrDisabledUserAreNotChanged": func(w *world) {
		w.mustUsers("ann")
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Disabled = true
		w.must(w.PutUser(w.ctx, u))
		for _, subject := range []string{"ann", "nobody"} {
			w.mustBe(
				w.ChangeFactors(w.ctx, subject, func(*storage.Factors) error { return nil }),
				storage.ErrRevoked,
			)
		}
	},
	"OneTimeCodeIsUsedByOneOfManyCallers": func(w *world) {
		w.mustUsers("ann")
		w.mustFactors()
		var steps, codes atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if w.ChangeFactors(w.ctx, "ann", func(f *storage.Factors) error {
					return f.UseTOTP(t0, 10, after(time.Second))
				}) == nil {
					steps.Add(1)
				}
			})
			wg.Go(func() {
				if w.ChangeFactors(w.ctx, "ann", func(f *storage.Factors) error {
					return f.UseRecoveryCode(storage.HashOf("first"))
				}) == nil {
					codes.Add(1)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "uses of a step and of a recovery code", [2]int32{steps.Load(), codes.Load()}, [2]int32{1, 1})
	},
	"ChangeOfFactorsIsOneTransactionWithTheTermination": func(w *world) {
		w.mustUsers("ann")
		f := w.mustFactors()
		own := w.mustSession("own", "ann", t0)
		w.mustSession("other", "ann", t0)
		f.TOTP = nil
		w.must(w.endWith(storage.Change{Factors: &f, RequireSession: own}, own))
		if got := w.factors("ann"); got.TOTP != nil || got.Revision != f.Revision+1 {
			w.Fatalf("got %+v, want no authenticator app and the next revision", got)
		}
		_, err := w.Session(w.ctx, "other", after(time.Second))
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.endWith(storage.Change{Factors: &f}, own), storage.ErrChanged)
	},
	"ChangeThatRequiresASessionIsRefusedAfterItsEnd": func(w *world) {
		w.mustUsers("ann")
		f := w.mustFactors()
		w.mustSession("own", "ann", t0)
		w.must(w.endWith(storage.Change{}, ""))
		f.TOTP = nil
		w.mustBe(w.endWith(storage.Change{Factors: &f, RequireSession: "own"}, "own"), storage.ErrRevoked)
		if w.factors("ann").TOTP == nil {
			w.Fatal("the change was stored all the same")
		}
	},
	"NewPasswordForgetsBrowsers": func(w *world) {
		w.mustUsers("ann")
		w.mustFactors()
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Password = "another"
		w.must(w.endWith(storage.Change{User: &u}, ""))
		mustEqual(w, "remembered browsers", len(w.factors("ann").Browsers), 0)
	},
	"ForgetBrowsersForgetsThem": func(w *world) {
		w.mustUsers("ann")
		w.mustFactors()
		w.must(w.endWith(storage.Change{ForgetBrowsers: "ann"}, ""))
		f := w.factors("ann")
		if len(f.Browsers) != 0 || f.TOTP == nil || len(f.Passkeys) != 1 || len(f.RecoveryCodes) != 2 {
			w.Fatalf("got %+v, want all but the browsers", f)
		}
	},
	"FactorsAreRemovedWithTheirUser": func(w *world) {
		w.mustUsers("ann")
		w.mustFactors()
		w.must(w.endWith(storage.Change{RemoveUser: "ann"}, ""))
		mustEqual(w, "factors of a removed user", w.factors("ann"), storage.Factors{Subject: "ann"})
	},
}

// endWith ends ann's sessions except one, together with a change.
func (w *world) endWith(change storage.Change, except storage.SessionID) error {
	_, _, err := w.EndSessions(w.ctx, storage.EndRequest{
		Selector: storage.Selector{Subject: "ann", Except: except},
		Cause:    storage.Cause{ID: w.id("cause"), Reason: storage.ReasonAccount, By: "user:ann"},
		Change:   change,
	}, after(time.Second), 0, func(storage.Termination) storage.Plan { return storage.Plan{} })
	return err
}
