package logout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestTerminationIsDurableBeforeNotification(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{FrontchannelLogoutURI: "https://rp.example/fcl"})
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher() // does not run
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		if len(o.Terminations) != 1 || len(o.ReportIDs) != 1 || o.More || o.CauseID == "" {
			t.Fatalf("got %+v", o)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the session is still found: %v", err)
		}
		r, err := w.store.Report(t.Context(), o.ReportIDs[0])
		w.must(err)
		if r.Cause.ID != o.CauseID || r.SessionHash != storage.SessionHash(id) || len(r.Audit) == 0 || !r.WholeSession ||
			r.Subject != "u" {
			t.Errorf("report: got %+v", r)
		}
		if frames := o.Frames(); len(frames) != 1 || frames[0].Client != "rp" {
			t.Errorf("frames: got %+v", frames)
		}
		if list := w.deliveries(); len(list) != 1 || list[0].Report != r.ID {
			t.Errorf("deliveries: got %+v", list)
		}
	})
}

func TestCancelledRequestStillEndsTheSession(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		id := w.session()
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		if _, err := w.terminator(w.dispatcher()).End(gone, storage.EndRequest{
			Selector: storage.Selector{Sessions: []storage.SessionID{id}},
			Cause:    storage.Cause{Reason: storage.ReasonLogout, By: "user:u"},
		}); err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the session is still found: %v", err)
		}
	})
}

func TestNothingSelectedIsNoError(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		woken := 0
		e := w.terminator(w.dispatcher())
		e.Wake = func() { woken++ }
		if o := w.end(e, storage.Selector{Sessions: []storage.SessionID{"gone"}}); len(o.Terminations) != 0 ||
			o.CauseID == "" ||
			woken != 0 {
			t.Errorf("got %+v, woken %d times", o, woken)
		}
	})
}

func TestChangeAndTerminationAreAtomic(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		id := w.session()
		e := w.terminator(w.dispatcher())
		stale := storage.User{Subject: "u", Name: "ada", Revision: 77}
		_, err := e.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{Subject: "u"},
			Cause:    storage.Cause{Reason: storage.ReasonPasswordChange, By: "user:u"},
			Change:   storage.Change{User: &stale},
		})
		if !errors.Is(err, storage.ErrChanged) {
			t.Errorf("got %v, want changed", err)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); err != nil {
			t.Errorf("the session ended without the change: %v", err)
		}
	})
}

func TestTerminatingOneClientSession(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("a", storage.Metadata{})
		w.client("b", storage.Metadata{})
		id := w.session("a", "b")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}, Client: "a"})
		synctest.Wait()
		if entry := w.entry(o, "a"); entry.Trust != storage.TrustConfirmed || o.Terminations[0].WholeSession ||
			len(w.receivedBy("a")) != 1 ||
			len(w.receivedBy("b")) != 0 {
			t.Errorf("got %+v; a notified %d times, b %d times", entry, len(w.receivedBy("a")), len(w.receivedBy("b")))
		}
		s, err := w.store.Session(t.Context(), id, time.Now())
		w.must(err)
		if len(s.ClientSessions) != 1 || s.ClientSessions[0].Client != "b" {
			t.Errorf("left: got %+v, want b", s.ClientSessions)
		}
	})
}

func TestDeletedClientIsNotified(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o, err := w.terminator(d).
			End(t.Context(), storage.EndRequest{
				Selector: storage.Selector{Client: "rp"},
				Cause:    storage.Cause{Reason: storage.ReasonClientRemoved, By: "admin"},
				Change:   storage.Change{RemoveClient: "rp"},
			})
		w.must(err)
		synctest.Wait()
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", entry)
		}
	})
}

func TestRevokedGrantIsBoundedByItsTokensNotByCurrentMetadata(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{AccessTokenFormat: "jwt"})
		end := time.Now().Add(time.Hour) // lifetimes were longer then
		code, next := storage.HashOf("first"), storage.HashOf("second")
		w.join(w.session(), "rp", storage.Issuance{
			Grant: storage.Grant{ID: "g", Session: "s", RefreshHash: code, Created: time.Now()},
			Trust: storage.TokenExpiry{JWT: end},
		})
		time.Sleep(time.Second)
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		opaque := *c
		opaque.AccessTokenFormat, opaque.Updated = "", time.Now()
		w.must(w.store.PutClient(t.Context(), opaque))
		time.Sleep(time.Second)
		_, err = w.store.Refresh(
			t.Context(),
			storage.RefreshRequest{Token: code, NewToken: next, Client: "rp"},
			time.Now(),
			func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
				g.LastUsed = time.Now()
				return storage.Issuance{Grant: g}, nil
			},
		)
		w.must(err)
		o := w.end(w.terminator(w.dispatcher()), storage.Selector{Grant: "g"})
		r, err := w.store.Report(t.Context(), o.ReportIDs[0])
		w.must(err)
		if entry := r.Entry(KindAccessTokens, "rp"); entry == nil || entry.ExpiresAt.Before(end) {
			t.Errorf("got %+v, though a JWT is good until %v", entry, end)
		}
	})
}

func TestObserverIsCalledForEverything(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		var heard []string
		hear := func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			heard = append(heard, fmt.Sprintf(format, args...))
		}
		o := Observer{
			OnTermination:      func(r storage.Reason, whole bool) { hear("ended %s %v", r, whole) },
			OnTrustChange:      func(kind string, trust storage.TrustState) { hear("entry %s %s", kind, trust) },
			OnHorizon:          func(scope string, d time.Duration, unknown int) { hear("horizon %s %v %d", scope, d, unknown) },
			OnAttempt:          func(client, class string, _ time.Duration) { hear("attempt %s %s", client, class) },
			OnDeliveryFinished: func(client string, s storage.DeliveryState, late bool) { hear("settled %s %s %v", client, s, late) },
			OnConfirmation:     func(client string, after time.Duration) { hear("confirmed %s %v", client, after) },
		}
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		d.Observer = o
		e := w.terminator(d)
		e.Observer = o
		defer run(d.Run)()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		want := []string{
			"ended rp_initiated true",
			"entry client_session unknown",
			"horizon op 0s 0",
			"horizon tokens 0s 0",
			"horizon clients 0s 1",
			"attempt rp 200",
			"settled rp done false",
			"confirmed rp 0s",
			"entry client_session confirmed",
		}
		slices.Sort(want)
		slices.Sort(heard)
		if !slices.Equal(heard, want) {
			t.Errorf("got %q, want %q", heard, want)
		}
	})
}
