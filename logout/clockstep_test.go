package logout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// maxClockDelay is how late a notification may be because the clock was set: the dispatcher looks at it that often.
const maxClockDelay = leaseDuration + 5*time.Second

// clockSession is a session with its client sessions, as its clients see it.
type clockSession struct {
	id      storage.SessionID
	sids    map[string]string // by client
	ended   bool
	endedAt map[string]time.Time // by client, in real time
}

// While dispatcher and terminator run, the clock is set forward and back between any two operations.
func TestClockStepsKeepNoSessionActiveAndDelayNoNotification(t *testing.T) {
	for seed := range uint64(10) {
		withFixture(t, func(t *testing.T, w *fixture) {
			random := rand.New(rand.NewPCG(seed, 1))
			clients := []string{"rp0", "rp1", "rp2"}
			for _, id := range clients {
				w.client(id, storage.Metadata{})
			}
			d := w.dispatcher()
			e := w.terminator(d)
			e.PageSize = 2
			defer run(d.Run)()
			defer run(e.Run)()
			failing := map[string]bool{}
			w.respond = func(_ context.Context, got receivedToken) (Response, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if sid := got.sid.(string); !failing[sid] && len(sid)%2 == 0 {
					failing[sid] = true
					return Response{Status: 503}, nil
				}
				return Response{Status: 200}, nil
			}
			var sessions []*clockSession
			for range 40 {
				if random.IntN(2) == 0 {
					steps := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 10 * 24 * time.Hour}
					step := steps[random.IntN(len(steps))]
					if random.IntN(2) == 0 {
						step = -step
					}
					w.ahead.Add(int64(step))
				}
				switch random.IntN(3) {
				case 0, 1:
					sessions = append(sessions, w.clockSession(clients))
				default:
					w.endSome(e, random, sessions, clients)
				}
				time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
				w.checkNoSurvivor(sessions)
			}
			time.Sleep(3 * time.Minute)
			w.checkNotified(seed, sessions)
		})
	}
}

// clockSession begins a session that does not expire, whatever the clock shows.
func (w *fixture) clockSession(clients []string) *clockSession {
	now := w.now()
	s := &clockSession{
		id:      storage.SessionID(fmt.Sprint("s", now.UnixNano(), w.sequence())),
		sids:    map[string]string{},
		endedAt: map[string]time.Time{},
	}
	w.must(w.store.CreateSession(w.t.Context(), storage.Session{
		ID:          s.id,
		Sequence:    w.sequence(),
		SecretHash:  storage.HashOf(string(s.id)),
		Subject:     "u",
		Created:     now,
		LastActive:  now,
		IdleTimeout: 1000 * 24 * time.Hour,
		Expires:     now.Add(1000 * 24 * time.Hour),
	}, storage.Event{At: now}))
	for _, client := range clients {
		r := w.join(s.id, client, storage.Issuance{})
		s.sids[client] = r.Session.ClientSession(client).SID
	}
	return s
}

// endSome ends one session, one client's part of all, or everything.
func (w *fixture) endSome(e *Terminator, random *rand.Rand, sessions []*clockSession, clients []string) {
	if len(sessions) == 0 {
		return
	}
	var sel storage.Selector
	chosen := sessions[random.IntN(len(sessions))]
	switch random.IntN(4) {
	case 0:
		sel.AllUsers = true
	case 1:
		sel.Subject = "u"
	case 2:
		sel.Client = clients[0]
	default:
		sel.Sessions = []storage.SessionID{chosen.id}
	}
	w.end(e, sel)
	for _, s := range sessions {
		if len(sel.Sessions) > 0 && s != chosen {
			continue
		}
		s.ended = s.ended || sel.Client == ""
		for _, client := range clients {
			if _, again := s.endedAt[client]; !again && (sel.Client == "" || sel.Client == client) {
				s.endedAt[client] = time.Now()
			}
		}
	}
}

// checkNoSurvivor looks for sessions and client sessions that count although they were ended.
func (w *fixture) checkNoSurvivor(sessions []*clockSession) {
	w.t.Helper()
	for _, s := range sessions {
		if _, err := w.store.Session(w.t.Context(), s.id, w.now()); (err == nil) == s.ended {
			w.t.Errorf("session %s, ended %v: got error %v", s.id, s.ended, err)
		}
		for client := range s.endedAt {
			if _, _, err := w.store.SessionBySID(w.t.Context(), s.sids[client], w.now()); err == nil {
				w.t.Errorf("session %s: the client session of %s counts, though it was ended", s.id, client)
			}
		}
	}
}

// checkNotified compares when the clients were notified with when their client sessions ended.
func (w *fixture) checkNotified(seed uint64, sessions []*clockSession) {
	w.t.Helper()
	first := map[string]time.Time{}
	for _, client := range []string{"rp0", "rp1", "rp2"} {
		for _, got := range w.receivedBy(client) {
			sid := got.sid.(string)
			if _, again := first[sid]; !again {
				first[sid] = got.at
			}
		}
	}
	for _, s := range sessions {
		for client, endedAt := range s.endedAt {
			at, ok := first[s.sids[client]]
			if late := at.Sub(endedAt); !ok || late > maxClockDelay {
				w.t.Errorf(
					"seed %d: %s was notified %v after its client session ended, received %v",
					seed,
					client,
					late,
					ok,
				)
			}
		}
	}
	for _, d := range w.deliveries() {
		if d.State == storage.DeliveryPending {
			w.t.Errorf("seed %d: still pending after three minutes: %+v", seed, d)
		}
	}
}
