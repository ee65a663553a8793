package logout

import (
	"context"
	"crypto/rand"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// A client that joins after the clock was read for a termination, and before its commit, has all of RenotifyDelay to
// create its session, too.
func TestClientThatJoinsDuringTerminationIsNotConfirmedTooEarly(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session()
		var begins, killed time.Time // of the relying party's own session
		w.respond = func(context.Context, receivedToken) (Response, error) {
			if now := time.Now(); killed.IsZero() && !now.Before(begins) {
				killed = now
			}
			return Response{Status: 200}, nil
		}
		d := w.dispatcher()
		defer run(d.Run)()
		e := w.terminator(d)
		e.Store = &crashingStore{Store: w.store, before: func() {
			time.Sleep(5 * time.Second)
			now := time.Now()
			begins = now.Add(RenotifyDelay - time.Millisecond)
			w.join(id, "rp", storage.Issuance{Trust: storage.TokenExpiry{LastIDToken: now}})
		}}
		o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Hour)
		synctest.Wait()
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed || killed.IsZero() {
			t.Errorf("got %+v and a session that ended at %v, want both over", entry, killed)
		}
	})
}

// A resource server may have asked just before a commit that took longer than is allowed for.
func TestSlowCommitExtendsCachedBounds(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{IntrospectionCache: 60})
		id := w.session()
		now := time.Now()
		w.join(id, "rp", storage.Issuance{
			Grant:  storage.Grant{ID: "g", Session: id, Created: now, LastUsed: now},
			Trust:  storage.TokenExpiry{Opaque: now.Add(time.Hour)},
			Tokens: []storage.Token{{Hash: storage.HashOf("at"), Issued: now, Expires: now.Add(time.Hour)}},
		})
		w.waitRenotifyDelay()
		var cached time.Time
		e := w.terminator(w.dispatcher())
		e.Store = &crashingStore{Store: w.store, before: func() {
			time.Sleep(5 * time.Second)
			if _, _, err := w.store.Token(t.Context(), storage.HashOf("at"), time.Now()); err == nil {
				cached = time.Now().Add(time.Minute)
			}
		}}
		o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		r, err := w.store.Report(t.Context(), o.ReportIDs[0])
		w.must(err)
		if entry := r.Entry(KindAccessTokens, "rp"); entry == nil || cached.IsZero() || entry.ExpiresAt.Before(cached) {
			t.Errorf("got %+v, and an answer that is used until %v", entry, cached)
		}
	})
}

// A client session that a bulk logout has ended but not removed yet, and a newer one of the same client, have different
// sids. An answer about one does not confirm the other.
func TestClientSessionPendingInABulkLogoutIsNotConfirmedByTheNextOne(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		ids := w.sessions(3, "rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		e := w.terminator(d)
		e.PageSize = 1
		mass := w.end(e, storage.Selector{Client: "rp"})
		if !mass.More {
			t.Fatal("the bulk logout is finished, want pages left")
		}
		time.Sleep(time.Second)
		var id storage.SessionID
		for _, id = range ids {
			if s, err := w.store.Session(t.Context(), id, time.Now()); err == nil && len(s.ClientSessions) == 0 &&
				id != mass.Terminations[0].Session.ID {
				break
			}
		}
		w.join(id, "rp", storage.Issuance{})
		s, err := w.store.Session(t.Context(), id, time.Now())
		w.must(err)
		next := s.ClientSession("rp").SID
		w.waitRenotifyDelay()
		w.respond = func(_ context.Context, got receivedToken) (Response, error) {
			if got.sid == next {
				return Response{Status: 200}, nil
			}
			return Response{Status: 503}, nil
		}
		defer run(d.Run)()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Second)
		tried := map[any]bool{}
		for _, g := range w.receivedBy("rp") {
			tried[g.sid] = true
		}
		if len(tried) != 3 {
			t.Errorf("notified of %d client sessions, want 3: the first page's, and both of this session", len(tried))
		}
		reports, _, err := w.store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
		w.must(err)
		confirmed := 0
		for _, r := range reports {
			if entry := r.Entry(KindClientSession, "rp"); entry != nil && entry.Trust == storage.TrustConfirmed {
				confirmed++
				if list, _, err := w.store.ListDeliveries(t.Context(), storage.DeliveryFilter{
					Report: r.ID,
					State:  storage.DeliveryPending,
				}, storage.Page{}); err != nil ||
					len(list) > 0 {
					t.Errorf("got %v: confirmed, though %+v is still pending", err, list)
				}
			}
		}
		if confirmed != 1 {
			t.Errorf("%d entries are confirmed, want 1", confirmed)
		}
		defer run(e.Run)()
		time.Sleep(10 * time.Second)
		if got := len(w.deliveries()); got != 4 {
			t.Errorf("got %d deliveries when the bulk logout is finished, want 4: one of each client session", got)
		}
	})
}

// A client whose session lasts as long as its access token keeps that session after the offline access ended that the
// token came from.
func TestTokensOfRevokedOfflineAccessStillBoundTheClientSession(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.register(storage.Metadata{ClientID: "rp", SessionWithTokens: true})
		id := w.session()
		first, next := storage.HashOf(rand.Text()), storage.HashOf(rand.Text())
		now := time.Now()
		w.join(id, "rp", storage.Issuance{
			Grant: storage.Grant{ID: "g", Created: now, LastUsed: now, RefreshHash: first},
			Trust: storage.TokenExpiry{Opaque: now.Add(time.Hour)},
		})
		time.Sleep(50 * time.Minute)
		expires := time.Now().Add(time.Hour)
		_, err := w.store.Refresh(
			t.Context(),
			storage.RefreshRequest{Token: first, NewToken: next, Client: "rp"},
			time.Now(),
			func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
				return storage.Issuance{Grant: g, Trust: storage.TokenExpiry{Opaque: expires}}, nil
			},
		)
		w.must(err)
		e := w.terminator(w.dispatcher())
		w.end(e, storage.Selector{Grant: "g"})
		time.Sleep(time.Second)
		o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		if entry := w.entry(o, "rp"); entry.Trust == storage.TrustExpiring && entry.ExpiresAt.Before(expires) {
			t.Errorf("got %+v, want it bounded by %v at the earliest", entry, expires)
		}
	})
}

func TestSilentExpiryIsNotReportedAsNotified(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.session("rp")
		e := w.terminator(w.dispatcher())
		e.SilentExpiry = true
		stop := run(e.Run)
		time.Sleep(9 * time.Hour)
		stop()
		reports, _, err := w.store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
		w.must(err)
		if len(reports) != 1 {
			t.Fatalf("got %d reports, want 1", len(reports))
		}
		if apps := AssessReport(reports[0], time.Now()).Clients; apps.Unknown != 1 || apps.Notifying != 0 {
			t.Errorf("got %+v, want one unknown that gets no notification", apps)
		}
	})
}

func TestReportIsConsistentAfterClockStepBack(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		w.waitRenotifyDelay()
		var ahead atomic.Int64
		ahead.Store(int64(time.Minute))
		clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		d := w.dispatcher()
		d.Now = clock
		e := w.terminator(d)
		e.Now = clock
		var posted []time.Time
		d.Post = func(context.Context, storage.Delivery, url.Values) (Response, error) {
			ahead.Store(0)
			if posted = append(posted, time.Now()); len(posted) == 1 {
				return Response{Status: 503}, nil
			}
			return Response{Status: 200}, nil
		}
		defer run(d.Run)()
		o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(posted) != 2 || posted[1].Sub(posted[0]) != time.Second {
			t.Errorf("notified at %v, want a pause of a second", posted)
		}
		r, err := w.store.Report(t.Context(), o.ReportIDs[0])
		w.must(err)
		var lines []storage.Event
		events, _, err := w.store.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{})
		w.must(err)
		for _, line := range events {
			if line.Kind == "session.ended" {
				lines = append(lines, line)
			}
		}
		if faults := NewDocument(issuer, r, lines, clock()).Check(); len(faults) > 0 {
			t.Errorf("got %q in %+v", faults, r)
		}
	})
}

func TestRestartCountsNoUnmadeAttempt(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		ids := w.sessions(150, "rp")
		w.waitRenotifyDelay()
		w.respond = func(context.Context, receivedToken) (Response, error) {
			time.Sleep(100 * time.Millisecond)
			return Response{Status: 200}, nil
		}
		d := w.dispatcher()
		w.end(w.terminator(d), storage.Selector{Sessions: ids})
		stop := run(d.Run)
		time.Sleep(time.Second)
		stop()
		if got := len(w.receivedBy("rp")); got == 0 || got == len(ids) {
			t.Fatalf("notified %d times before the restart, want some of %d", got, len(ids))
		}
		defer run(w.dispatcher().Run)()
		time.Sleep(time.Minute)
		for _, one := range w.deliveries() {
			if one.Attempts != 1 || one.State != storage.DeliveryDone {
				t.Fatalf("got %+v, want it done at the first try", one)
			}
		}
	})
}

// An answer to the re-notification confirms the logout only after the time that a client may take to create its
// session. A retry does not send the re-notification sooner.
func TestRetryDoesNotAdvanceARenotification(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		for _, one := range w.deliveries() {
			if one.Renotification {
				w.must(d.RetryDelivery(t.Context(), one.ID, "admin"))
			}
		}
		time.Sleep(RenotifyDelay - time.Second)
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustNotified || len(w.receivedBy("rp")) != 1 {
			t.Errorf("got %+v after %d tokens, want the second not sent yet", entry, len(w.receivedBy("rp")))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", entry)
		}
	})
}

func TestConfirmationTimeIsObservedOnlyOnConfirmation(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		d := w.dispatcher()
		var after []time.Duration
		d.Observer.OnConfirmation = func(_ string, d time.Duration) { after = append(after, d) }
		defer run(d.Run)()
		w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(after) != 1 || after[0] != RenotifyDelay {
			t.Errorf("got %v, want %v: it joined just before the end", after, RenotifyDelay)
		}
	})
}
