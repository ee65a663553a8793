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

func TestEndingIsDurableBeforeAnyoneIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{FrontchannelLogoutURI: "https://rp.example/fcl"})
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher() // does not run
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}})
		if len(o.Ended) != 1 || len(o.Reports) != 1 || o.More || o.CauseID == "" {
			t.Fatalf("got %+v", o)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the session is still found: %v", err)
		}
		r, err := w.store.Report(t.Context(), o.Reports[0])
		w.must(err)
		if r.Cause.ID != o.CauseID || r.Session != storage.SessionHash(id) || len(r.Audit) == 0 || !r.Whole || r.Subject != "u" {
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

func TestWhoeverHangsUpHasStillEndedIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.session()
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		if _, err := w.ender(w.dispatcher()).End(gone, storage.Selector{Sessions: []storage.SessionID{id}}, storage.Cause{Reason: storage.ReasonLogout, By: "user:u"}, storage.Change{}); err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the session is still found: %v", err)
		}
	})
}

func TestNothingSelectedIsNoError(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		woken := 0
		e := w.ender(w.dispatcher())
		e.Wake = func() { woken++ }
		if o := w.end(e, storage.Selector{Sessions: []storage.SessionID{"gone"}}); len(o.Ended) != 0 || o.CauseID == "" || woken != 0 {
			t.Errorf("got %+v, woken %d times", o, woken)
		}
	})
}

func TestChangeAndEndingAreOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.session()
		e := w.ender(w.dispatcher())
		stale := storage.User{Subject: "u", Name: "ada", Revision: 77}
		_, err := e.End(t.Context(), storage.Selector{Subject: "u"}, storage.Cause{Reason: storage.ReasonPasswordChange, By: "user:u"}, storage.Change{User: &stale})
		if !errors.Is(err, storage.ErrChanged) {
			t.Errorf("got %v, want changed", err)
		}
		if _, err := w.store.Session(t.Context(), id, time.Now()); err != nil {
			t.Errorf("the session ended without the change: %v", err)
		}
	})
}

func TestOneApplicationsShare(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("a", storage.Metadata{})
		w.client("b", storage.Metadata{})
		id := w.session("a", "b")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.ender(d), storage.Selector{Sessions: []storage.SessionID{id}, Client: "a"})
		synctest.Wait()
		if row := w.row(o, "a"); row.Trust != storage.TrustConfirmed || o.Ended[0].Whole || len(w.got("a")) != 1 || len(w.got("b")) != 0 {
			t.Errorf("got %+v; a told %d times, b %d times", row, len(w.got("a")), len(w.got("b")))
		}
		s, err := w.store.Session(t.Context(), id, time.Now())
		w.must(err)
		if len(s.Members) != 1 || s.Members[0].Client != "b" {
			t.Errorf("left: got %+v, want b", s.Members)
		}
	})
}

func TestRemovedClientIsToldALastTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		defer run(d.Run)()
		o, err := w.ender(d).End(t.Context(), storage.Selector{Client: "rp"}, storage.Cause{Reason: storage.ReasonClientRemoved, By: "admin"}, storage.Change{RemoveClient: "rp"})
		w.must(err)
		synctest.Wait()
		if row := w.row(o, "rp"); row.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", row)
		}
	})
}

func TestRevokedGrantIsBoundedByWhatWasGivenWhateverTheClientIsNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{AccessTokenFormat: "jwt"})
		end := time.Now().Add(time.Hour) // lifetimes were longer then
		code, next := storage.HashOf("first"), storage.HashOf("second")
		w.join(w.session(), "rp", storage.Issue{Grant: storage.Grant{ID: "g", Session: "s", Refresh: code, Created: time.Now()}, Trust: storage.Trust{JWT: end}})
		time.Sleep(time.Second)
		c, err := w.store.Client(t.Context(), "rp")
		w.must(err)
		opaque := *c
		opaque.AccessTokenFormat, opaque.Updated = "", time.Now()
		w.must(w.store.PutClient(t.Context(), opaque))
		time.Sleep(time.Second)
		_, err = w.store.Refresh(t.Context(), storage.Refresh{Token: code, Successor: next, Client: "rp"}, time.Now(), func(g storage.Grant, _ *storage.Session) (storage.Issue, error) {
			g.LastUsed = time.Now()
			return storage.Issue{Grant: g}, nil
		})
		w.must(err)
		o := w.end(w.ender(w.dispatcher()), storage.Selector{Grant: "g"})
		r, err := w.store.Report(t.Context(), o.Reports[0])
		w.must(err)
		if row := r.Row(KindTokens, "rp"); row == nil || row.Until.Before(end) {
			t.Errorf("got %+v, though a JWT is good until %v", row, end)
		}
	})
}

func TestMetricsHearOfEverything(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client("rp", storage.Metadata{})
		var heard []string
		hear := func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			heard = append(heard, fmt.Sprintf(format, args...))
		}
		o := Observe{
			Ended:     func(r storage.Reason, whole bool) { hear("ended %s %v", r, whole) },
			Row:       func(kind string, trust storage.TrustState) { hear("row %s %s", kind, trust) },
			Horizon:   func(scope string, d time.Duration, unknown int) { hear("horizon %s %v %d", scope, d, unknown) },
			Attempt:   func(client, class string, _ time.Duration) { hear("attempt %s %s", client, class) },
			Settled:   func(client string, s storage.DeliveryState, late bool) { hear("settled %s %s %v", client, s, late) },
			Confirmed: func(client string, after time.Duration) { hear("confirmed %s %v", client, after) },
		}
		id := w.session("rp")
		w.settleDown()
		d := w.dispatcher()
		d.Observe = o
		e := w.ender(d)
		e.Observe = o
		defer run(d.Run)()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		want := []string{"ended rp_initiated true", "row application unknown", "horizon op 0s 0", "horizon tokens 0s 0", "horizon apps 0s 1",
			"attempt rp 200", "settled rp done false", "confirmed rp 0s", "row application confirmed"}
		slices.Sort(want)
		slices.Sort(heard)
		if !slices.Equal(heard, want) {
			t.Errorf("got %q, want %q", heard, want)
		}
	})
}
