package logout

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestHangingHostsDelayNoOtherHost(t *testing.T) {
	for _, hanging := range []int{20, 200} {
		withFixture(t, func(t *testing.T, w *fixture) {
			w.respond = func(ctx context.Context, got receivedToken) (Response, error) {
				if got.client != "well" {
					<-ctx.Done()
					return Response{}, ctx.Err()
				}
				return Response{Status: 200}, nil
			}
			w.client("well", storage.Metadata{})
			members := []string{"well"}
			for i := range hanging {
				members = append(members, fmt.Sprint("hanging", i))
				w.client(members[i+1], storage.Metadata{})
			}
			w.sessions(400/hanging, members...)
			w.session("well")
			w.waitRenotifyDelay()
			d := w.dispatcher()
			defer run(d.Run)()
			e := w.terminator(d)
			first := w.session("well")
			w.waitRenotifyDelay()
			w.end(e, storage.Selector{Sessions: []storage.SessionID{first}})
			synctest.Wait()
			w.end(e, storage.Selector{Subject: "u"})
			time.Sleep(time.Second)
			if got, want := len(w.receivedBy("well")), 400/hanging+2; got != want {
				t.Errorf(
					"%d hang: after a second the quick one was notified of %d terminations, want %d",
					hanging,
					got,
					want,
				)
			}
			// A delivery that is stored while all of them hang is sent as quickly.
			id := w.session("well")
			w.waitRenotifyDelay()
			o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
			synctest.Wait()
			if entry := w.entry(o, "well"); entry.Trust != storage.TrustConfirmed {
				t.Errorf("%d hang: got %+v, want it confirmed at once", hanging, entry)
			}
		})
	}
}

func TestOneHostGetsFourAttemptsAtATime(t *testing.T) {
	for _, took := range []time.Duration{500 * time.Millisecond, 4900 * time.Millisecond} {
		withFixture(t, func(t *testing.T, w *fixture) {
			var now, most int
			w.respond = func(context.Context, receivedToken) (Response, error) {
				w.mu.Lock()
				now++
				most = max(most, now)
				w.mu.Unlock()
				time.Sleep(took)
				w.mu.Lock()
				now--
				w.mu.Unlock()
				return Response{Status: 200}, nil
			}
			w.client("a", storage.Metadata{BackchannelLogoutURI: "https://one.example/a"})
			w.client("b", storage.Metadata{BackchannelLogoutURI: "https://ONE.example:443/b"})
			w.sessions(50, "a", "b")
			w.waitRenotifyDelay()
			d := w.dispatcher()
			defer run(d.Run)()
			w.end(w.terminator(d), storage.Selector{Subject: "u"})
			time.Sleep(5 * time.Minute)
			if got := len(w.receivedBy("a")) + len(w.receivedBy("b")); got != 100 || most != maxPerHost {
				t.Errorf("answers after %v: %d notified, %d at a time, want 100, %d", took, got, most, maxPerHost)
			}
			for _, delivery := range w.deliveries() {
				if delivery.State != storage.DeliveryDone {
					t.Errorf("got %+v, want it done", delivery)
				}
			}
		})
	}
}

func TestRelyingPartyMayUseTheStoreDuringDelivery(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		w.respond = func(ctx context.Context, got receivedToken) (Response, error) {
			// It revokes its token at the OP before it answers.
			if err := w.store.DeleteToken(ctx, storage.HashOf("token")); err != nil {
				return Response{}, err
			}
			if err := w.store.PutToken(ctx, storage.Token{
				Hash:    storage.HashOf("other"),
				Client:  "rp",
				Expires: time.Now().Add(time.Hour),
			}); err != nil {
				return Response{}, err
			}
			return Response{Status: 200}, nil
		}
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		synctest.Wait()
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustConfirmed {
			t.Errorf("got %+v, want it confirmed", entry)
		}
	})
}
