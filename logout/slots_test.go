package logout

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// hangs makes the clients whose names are in hanging answer nothing, and the others answer at once.
func (w *fixture) hangs(hanging func(client string) bool) {
	w.respond = func(ctx context.Context, got receivedToken) (Response, error) {
		if hanging(got.client) {
			<-ctx.Done()
			return Response{}, ctx.Err()
		}
		time.Sleep(10 * time.Millisecond)
		return Response{Status: 200}, nil
	}
}

func hasName(names []string) func(string) bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return func(name string) bool { return set[name] }
}

// bulkDuration ends all sessions and returns how long it took until the last healthy client was notified.
func bulkDuration(t *testing.T, w *fixture, sessions int, healthy []string) time.Duration {
	t.Helper()
	d := w.dispatcher()
	e := w.terminator(d)
	defer run(d.Run)()
	defer run(e.Run)()
	synctest.Wait()
	began := time.Now()
	w.end(e, storage.Selector{AllUsers: true})
	time.Sleep(time.Minute)
	var last time.Time
	for _, client := range healthy {
		received := w.receivedBy(client)
		if len(received) != sessions {
			t.Fatalf("%s got %d logout tokens, want %d", client, len(received), sessions)
		}
		last = latest(last, received[len(received)-1].at)
	}
	return last.Sub(began)
}

// knownHosts lets the fixture's store know hosts from an earlier process.
func (w *fixture) knownHosts(slow bool, clients ...string) {
	w.t.Helper()
	var outcomes []storage.DeliveryOutcome
	for _, c := range clients {
		outcomes = append(outcomes, storage.DeliveryOutcome{
			ID:         "none",
			HostHealth: &storage.HostHealth{Host: c + ".example:443", Slow: slow, At: time.Now()},
		})
	}
	_, err := w.store.RecordOutcomes(w.t.Context(), outcomes)
	w.must(err)
}

func TestBulkLogoutIsAsQuickHoweverManyHostsHang(t *testing.T) {
	const sessions = 4 * DefaultPageSize
	healthy := []string{"a", "b", "c"}
	var alone time.Duration
	for _, hangingHosts := range []int{0, 1, 97} {
		withFixture(t, func(t *testing.T, w *fixture) {
			var hanging []string
			for i := range hangingHosts {
				hanging = append(hanging, fmt.Sprint("hanging", i))
			}
			for _, c := range append(healthy, hanging...) {
				w.client(c, storage.Metadata{})
			}
			w.hangs(hasName(hanging))
			most := min(1, hangingHosts) // of them is in every session, the others are in a few
			w.sessions(sessions-20, append(healthy, hanging[:most]...)...)
			w.sessions(20, append(healthy, hanging...)...)
			w.waitRenotifyDelay()
			w.knownHosts(false, healthy...)
			w.knownHosts(true, hanging...)
			took := bulkDuration(t, w, sessions, healthy)
			if hangingHosts == 0 {
				alone = took
			}
			if took > alone+alone/5 {
				t.Errorf("with %d hanging hosts: %v, want at most a fifth more than %v", hangingHosts, took, alone)
			}
		})
	}
}

func TestHostsThatBeginToHangDelayTheOthersForASecondOnly(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		healthy := []string{"a", "b", "c"}
		var hanging []string
		for i := range 100 {
			hanging = append(hanging, fmt.Sprint("hanging", i))
		}
		for _, c := range append(healthy, hanging...) {
			w.client(c, storage.Metadata{})
		}
		w.hangs(hasName(hanging))
		w.sessions(10, append(hanging, healthy...)...)
		w.waitRenotifyDelay()
		w.knownHosts(false, append(healthy, hanging...)...)
		d := w.dispatcher()
		defer run(d.Run)()
		synctest.Wait()
		w.end(w.terminator(d), storage.Selector{AllUsers: true})
		time.Sleep(1100 * time.Millisecond)
		for _, c := range healthy {
			if got := len(w.receivedBy(c)); got != 10 {
				t.Errorf("%s got %d logout tokens in a second, want 10", c, got)
			}
		}
	})
}

func TestDispatcherRemembersTheHealthOfHostsAfterARestart(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("quick", storage.Metadata{})
		w.client("hanging", storage.Metadata{})
		w.hangs(hasName([]string{"hanging"}))
		w.session("quick", "hanging")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		stop := run(d.Run)
		w.end(w.terminator(d), storage.Selector{AllUsers: true})
		time.Sleep(AttemptTimeout + time.Second)
		stop()
		known, err := w.store.ListHostHealth(t.Context())
		w.must(err)
		queues := newHostQueues(known)
		for host, want := range map[string]hostClass{
			"quick.example:443":   operatorQuick,
			"hanging.example:443": operatorSlow,
		} {
			if q := queues.byHost[host]; q == nil || q.class() != want {
				t.Errorf("%s: got %+v, want %s", host, q, want)
			}
		}
	})
}

func TestHangingStrangersDoNotDelayAnOperatorsUnknownClient(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		var strangers []string
		for i := range 400 {
			id := fmt.Sprint("stranger", i)
			strangers = append(strangers, id)
			m := storage.Metadata{ClientID: id, BackchannelLogoutURI: "https://" + id + ".example/bcl"}
			w.must(w.store.PutClient(t.Context(), storage.Client{Metadata: m, Dynamic: true, Created: time.Now()}))
		}
		w.client("unknown", storage.Metadata{})
		w.hangs(hasName(strangers))
		id := w.session(strangers...)
		w.waitRenotifyDelay()
		d := w.dispatcher()
		e := w.terminator(d)
		defer run(d.Run)()
		synctest.Wait()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(3 * time.Second) // all slots of strangers are taken
		operators := w.session("unknown")
		time.Sleep(time.Millisecond)
		ended := time.Now()
		w.end(e, storage.Selector{Sessions: []storage.SessionID{operators}})
		time.Sleep(time.Minute)
		if got := w.receivedBy("unknown"); len(got) == 0 || got[0].at.Sub(ended) > time.Second {
			t.Errorf("got %v, want a logout token within a second of %v", got, ended)
		}
	})
}

func TestStrangerAtAnOperatorsHostHasSlotsOfItsOwn(t *testing.T) {
	m := storage.Metadata{BackchannelLogoutURI: "https://app.example/bcl"}
	operators, strangers := queueHost(
		&storage.Client{Metadata: m},
	), queueHost(&storage.Client{Metadata: m, Dynamic: true})
	if operators != "app.example:443" || strangers == operators {
		t.Errorf("got %q and %q, want two hosts", operators, strangers)
	}
	for _, speed := range []hostSpeed{speedUnknown, speedQuick, speedSlow} {
		if classOf(operators, speed) >= selfRegisteredUnknown || classOf(strangers, speed) < selfRegisteredUnknown {
			t.Errorf("speed %d: got %s and %s", speed, classOf(operators, speed), classOf(strangers, speed))
		}
	}
}

func TestAttemptsAreBoundedHoweverManyHostsHang(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		var clients []string
		for i := range 600 {
			clients = append(clients, fmt.Sprint("hanging", i))
			w.client(clients[i], storage.Metadata{})
		}
		var mu sync.Mutex
		var now, most int
		w.respond = func(ctx context.Context, _ receivedToken) (Response, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return Response{}, ctx.Err()
		}
		w.session(clients...)
		w.waitRenotifyDelay()
		w.knownHosts(false, clients...)
		d := w.dispatcher()
		defer run(d.Run)()
		w.end(w.terminator(d), storage.Selector{AllUsers: true})
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if most > maxInFlight {
			t.Errorf("got %d attempts at a time, want at most %d", most, maxInFlight)
		}
	})
}
