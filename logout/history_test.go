package logout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"pgregory.net/rapid"
)

// step is one thing that happens. a and b choose what it happens to.
type step struct {
	action string
	a, b   int
	wait   time.Duration // afterwards
}

var steps = []string{
	"sign in",
	"join",
	"join",
	"join",
	"end session",
	"end session",
	"end client session",
	"end client everywhere",
	"end client everywhere",
	"end everyone",
	"edit uri",
	"drop uri",
	"remove client",
	"add client",
	"answer",
	"answer",
	"retry",
	"give up",
	"crash",
	"page",
	"run",
	"join during the end",
}

func drawHistory(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		wait := time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond
		switch rapid.IntRange(0, 5).Draw(t, "pace") {
		case 0:
			wait = RenotifyDelay
		case 1:
			wait *= 1000
		}
		return step{
			rapid.SampledFrom(steps).Draw(t, "what"),
			rapid.IntRange(0, 5).Draw(t, "a"),
			rapid.IntRange(0, 5).Draw(t, "b"),
			wait,
		}
	}), 5, 25).Draw(t, "history")
}

// history is the world with relying parties that have sessions of their own.
type history struct {
	*fixture
	mu         sync.Mutex
	starts     map[string]time.Time // by sid: the relying party's own session exists from then on
	loggedOut  map[string]bool      // by sid: a logout token ended it
	answers    map[string]int       // by client: what it does
	sessions   []storage.SessionID
	reports    map[string]bool
	terminator *Terminator
	outbox     *Dispatcher
	crash      func()
}

func (h *history) clientOf(n int) string { return fmt.Sprint("rp", n%3) }

func (h *history) receive(_ context.Context, got receivedToken) (Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sid, answer := got.sid.(string), h.answers[got.client]
	if answer < 3 && !time.Now().Before(h.starts[sid]) {
		h.loggedOut[sid] = true
	}
	switch answer {
	case 0, 1:
		return Response{Status: 200}, nil
	case 2:
		return Response{}, refused{} // done, and the answer lost
	case 3:
		return Response{Status: 400}, nil
	case 4:
		return Response{Status: 503, RetryAfter: time.Minute}, nil
	default:
		return Response{}, refused{}
	}
}

func (h *history) join(id storage.SessionID, client string) {
	now, sid := time.Now(), rand.Text()
	code := storage.Code{
		ID:       rand.Text(),
		Client:   client,
		Subject:  "u",
		Session:  id,
		SID:      sid,
		Sequence: h.sequence(),
		Issued:   now,
		Expires:  now.Add(time.Minute),
	}
	r, err := h.store.Redeem(
		h.t.Context(),
		code,
		now,
		func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{Trust: storage.TokenExpiry{LastIDToken: now}}, nil
		},
	)
	if errors.Is(err, storage.ErrRevoked) {
		return
	}
	h.must(err)
	sid = r.Session.ClientSession(client).SID
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts[sid], h.loggedOut[sid] = now.Add(RenotifyDelay-time.Millisecond), false // as late as it may be
}

func (h *history) end(sel storage.Selector, change storage.Change, reason storage.Reason) {
	o, err := h.terminator.End(
		h.t.Context(),
		storage.EndRequest{Selector: sel, Cause: storage.Cause{Reason: reason, By: "admin"}, Change: change},
	)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		h.t.Fatal(err)
	}
	for _, id := range o.ReportIDs {
		h.reports[id] = true
	}
}

func (h *history) edit(id string, change func(*storage.Client)) {
	if c, err := h.store.Client(h.t.Context(), id); err == nil {
		next := *c
		change(&next)
		next.Updated = time.Now()
		h.must(h.store.PutClient(h.t.Context(), next))
	}
}

func (h *history) apply(s step) {
	ctx, client := h.t.Context(), h.clientOf(s.b)
	session := h.sessions[s.a%len(h.sessions)]
	deliveries := h.deliveries()
	switch s.action {
	case "sign in":
		time.Sleep(
			time.Millisecond,
		) // a bulk logout of all users that is under way also ends what begins in its own millisecond
		h.sessions = append(h.sessions, h.session())
	case "join":
		h.join(session, client)
	case "join during the end":
		h.terminator.Store = &crashingStore{Store: h.store, before: func() {
			time.Sleep(5 * time.Second)
			h.join(session, client)
		}}
		h.end(storage.Selector{Sessions: []storage.SessionID{session}}, storage.Change{}, storage.ReasonLogout)
		h.terminator.Store = h.store
	case "end session":
		h.end(storage.Selector{Sessions: []storage.SessionID{session}}, storage.Change{}, storage.ReasonLogout)
	case "end client session":
		h.end(
			storage.Selector{Sessions: []storage.SessionID{session}, Client: client},
			storage.Change{},
			storage.ReasonClientSignOut,
		)
	case "end client everywhere":
		h.end(storage.Selector{Client: client}, storage.Change{}, storage.ReasonAdmin)
	case "end everyone":
		h.end(storage.Selector{AllUsers: true}, storage.Change{}, storage.ReasonAdmin)
	case "edit uri":
		h.edit(
			client,
			func(c *storage.Client) { c.BackchannelLogoutURI = fmt.Sprintf("https://%s-%d.example/", client, s.a) },
		)
	case "drop uri":
		h.edit(client, func(c *storage.Client) {
			c.BackchannelLogoutURI, c.FrontchannelLogoutURI = "", "https://front.example/"
		})
	case "remove client":
		h.end(
			storage.Selector{Client: client, IncludeOffline: true},
			storage.Change{RemoveClient: client},
			storage.ReasonClientRemoved,
		)
	case "add client":
		if _, err := h.store.Client(ctx, client); err != nil {
			h.client(client, storage.Metadata{})
		}
	case "answer":
		h.mu.Lock()
		h.answers[client] = s.a
		h.mu.Unlock()
	case "retry", "give up":
		if len(deliveries) > 0 {
			act := h.outbox.RetryDelivery
			if s.action == "give up" {
				act = h.outbox.CancelDelivery
			}
			if err := act(ctx, deliveries[s.a%len(deliveries)].ID, "admin"); err != nil &&
				!errors.Is(err, storage.ErrAlreadyUsed) {
				h.t.Fatal(err)
			}
		}
	case "crash":
		h.crash()
		h.start()
	case "page":
		_, err := h.terminator.continueBulkLogouts(ctx)
		h.must(err)
	case "run":
		stop := run(h.terminator.Run)
		time.Sleep(5 * time.Second)
		stop()
	}
}

func (h *history) start() {
	store := &crashingStore{Store: h.store}
	h.outbox = h.dispatcher()
	h.outbox.Store = store
	h.terminator.Wake = h.outbox.Wake
	stop := run(h.outbox.Run)
	h.crash = func() { store.crashed.Store(true); stop() }
}

// check compares every report with the state of the relying parties, and checks that it is consistent. It returns the
// first fault.
func (h *history) check(before map[string]storage.ReportEntry) error {
	events, _, err := h.store.ListEvents(h.t.Context(), storage.EventFilter{}, storage.Page{Limit: 100000})
	h.must(err)
	reports, _, err := h.store.ListReports(h.t.Context(), storage.ReportFilter{}, storage.Page{Limit: 100000})
	h.must(err)
	sids := map[string][]string{} // by report and client
	for _, d := range h.deliveries() {
		if key := d.Report + " " + d.Client; !slices.Contains(sids[key], d.SID) {
			sids[key] = append(sids[key], d.SID)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range reports {
		delete(h.reports, r.ID)
		lines := slices.DeleteFunc(
			slices.Clone(events),
			func(e storage.Event) bool { return !slices.Contains(r.Audit, e.Seq) },
		)
		if faults := NewDocument(issuer, r, lines, time.Now()).Check(); len(faults) > 0 {
			return fmt.Errorf("the report contradicts itself: %q\n%+v\n%+v", faults, r, lines)
		}
		for _, entry := range r.Entries {
			key := r.ID + " " + entry.Client
			if entry.Kind != KindClientSession {
				continue
			}
			if slices.Contains(entry.Channels, BackChannel) && len(sids[key]) != 1 {
				return fmt.Errorf("logout tokens name %d sids for %+v of %+v, want 1", len(sids[key]), entry, r)
			}
			for _, sid := range sids[key] {
				if entry.Trust == storage.TrustConfirmed && !h.loggedOut[sid] {
					return fmt.Errorf(
						"confirmed, though the relying party has its session still: %+v\nof %+v",
						entry,
						r,
					)
				}
			}
			if trustRank(entry.Trust) < trustRank(before[key].Trust) {
				return fmt.Errorf("moved from %+v to %+v", before[key], entry)
			}
			before[key] = entry
		}
	}
	for id := range h.reports {
		return fmt.Errorf("report %s was announced and is not there", id)
	}
	return nil
}

// play lets a history happen, and then two days pass in which every client answers.
func (h *history) play(steps []step) error {
	before := map[string]storage.ReportEntry{}
	for _, s := range steps {
		h.apply(s)
		time.Sleep(s.wait)
		if err := h.check(before); err != nil {
			return fmt.Errorf("after %q: %w", s.action, err)
		}
	}
	stop := run(h.terminator.Run)
	time.Sleep(time.Minute)
	stop()
	h.mu.Lock()
	clear(h.answers)
	h.mu.Unlock()
	time.Sleep(49 * time.Hour)
	for _, d := range h.deliveries() {
		if d.State == storage.DeliveryPending {
			return fmt.Errorf("still pending after two days: %+v", d)
		}
	}
	bulkLogouts, err := h.store.ListBulkLogouts(h.t.Context())
	h.must(err)
	for _, e := range bulkLogouts {
		if e.Finished.IsZero() {
			return fmt.Errorf("still under way after a minute: %+v", e)
		}
	}
	return h.check(before)
}

func TestReportsAreTrueInAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawHistory(rt)
		var err error
		withFixture(t, func(t *testing.T, w *fixture) {
			h := &history{
				fixture:   w,
				starts:    map[string]time.Time{},
				loggedOut: map[string]bool{},
				answers:   map[string]int{},
				reports:   map[string]bool{},
			}
			w.respond = h.receive
			h.terminator = w.terminator(w.dispatcher())
			h.terminator.PageSize = 1
			h.start()
			for n := range 3 {
				w.client(h.clientOf(n), storage.Metadata{})
			}
			for range 3 {
				id := w.session()
				for n := range 3 {
					h.join(id, h.clientOf(n))
				}
				h.sessions = append(h.sessions, id)
			}
			err = h.play(steps)
			h.crash()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
