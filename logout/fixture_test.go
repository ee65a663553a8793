package logout

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const issuer = "https://op.example"

// receivedToken is a logout token as a relying party received it.
type receivedToken struct {
	at     time.Time
	client string
	jti    string
	sub    any
	sid    any
}

// fixture is a store, and around it what leaves the process: a signer that does not sign, and relying parties.
type fixture struct {
	t       *testing.T
	store   *bolt.Store
	respond func(ctx context.Context, got receivedToken) (Response, error) // what a relying party does; nil: 200

	ahead atomic.Int64 // how far the provider's clock is ahead of the real one

	mu       sync.Mutex
	received []receivedToken
}

// now is what the provider's clock shows.
func (w *fixture) now() time.Time { return time.Now().Round(0).Add(time.Duration(w.ahead.Load())) }

// withFixture runs a test in a bubble of virtual time.
func withFixture(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	path := filepath.Join(storeFolder(t), "curfew.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		w := &fixture{t: t, store: store}
		w.must(store.PutUser(t.Context(), storage.User{Subject: "u", Name: "ada", Created: time.Now()}))
		test(t, w)
	})
}

// storeFolder returns a folder in memory where there is one: these tests crash the process, never the machine, and
// waiting for a disk is most of their time.
func storeFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "curfew")
	if err != nil {
		return t.TempDir() // not on Linux
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func (w *fixture) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// client registers a relying party that is notified at a host of its own, unless m says otherwise.
func (w *fixture) client(id string, m storage.Metadata) {
	w.t.Helper()
	m.ClientID, m.ClientName = id, id
	if m.BackchannelLogoutURI == "" {
		m.BackchannelLogoutURI = "https://" + id + ".example/bcl"
	}
	w.register(m)
}

func (w *fixture) register(m storage.Metadata) {
	w.t.Helper()
	w.must(w.store.PutClient(w.t.Context(), storage.Client{Metadata: m, Created: time.Now()}))
}

// session begins a session of which those clients are members.
func (w *fixture) session(clients ...string) storage.SessionID {
	w.t.Helper()
	now := w.now()
	s := storage.Session{
		ID:          storage.SessionID(rand.Text()),
		SecretHash:  storage.HashOf(rand.Text()),
		Subject:     "u",
		AuthTime:    now,
		Created:     now,
		LastActive:  now,
		IdleTimeout: 8 * time.Hour,
		Expires:     now.Add(24 * time.Hour),
		Sequence:    w.sequence(),
	}
	w.must(w.store.CreateSession(w.t.Context(), s, storage.Event{At: now, Kind: "session.created"}))
	for _, c := range clients {
		w.join(s.ID, c, storage.Issuance{})
	}
	return s.ID
}

// sequence is the store's present sequence.
func (w *fixture) sequence() storage.Sequence {
	w.t.Helper()
	n, err := w.store.Sequence(w.t.Context())
	w.must(err)
	return n
}

func (w *fixture) join(id storage.SessionID, client string, give storage.Issuance) storage.RedeemResult {
	w.t.Helper()
	now := w.now()
	code := storage.Code{
		ID:       rand.Text(),
		Client:   client,
		Subject:  "u",
		Session:  id,
		SID:      rand.Text(),
		Sequence: w.sequence(),
		Issued:   now,
		Expires:  now.Add(time.Minute),
	}
	r, err := w.store.Redeem(
		w.t.Context(),
		code,
		now,
		func(storage.Session, storage.ClientSession) (storage.Issuance, error) { return give, nil },
	)
	w.must(err)
	return r
}

// sessions begins many sessions, together, so that they share commits.
func (w *fixture) sessions(n int, clients ...string) []storage.SessionID {
	w.t.Helper()
	ids := make([]storage.SessionID, n)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() { ids[i] = w.session(clients...) })
	}
	all.Wait()
	return ids
}

// waitRenotifyDelay lets the time pass after which a client that joined the session needs no re-notification.
func (w *fixture) waitRenotifyDelay() { time.Sleep(RenotifyDelay) }

func sign(_ context.Context, _ storage.Delivery, _ string, _, _ time.Time, claims map[string]any) (string, error) {
	text, err := json.Marshal(claims)
	return string(text), err
}

// post takes a logout token to its relying party.
func (w *fixture) post(ctx context.Context, _ storage.Delivery, form url.Values) (Response, error) {
	var claims map[string]any
	if err := json.Unmarshal([]byte(form.Get("logout_token")), &claims); err != nil || len(form) != 1 {
		return Response{}, errors.Join(errors.New("not a logout token"), err)
	}
	got := receivedToken{
		at:     time.Now(),
		client: claims["aud"].(string),
		jti:    claims["jti"].(string),
		sub:    claims["sub"],
		sid:    claims["sid"],
	}
	if exp := time.Unix(int64(claims["exp"].(float64)), 0); !exp.After(w.now()) ||
		exp.After(w.now().Add(TokenLifetime)) {
		w.t.Errorf("token for %s expires at %v, sent at %v", got.client, exp, got.at)
	}
	w.mu.Lock()
	w.received = append(w.received, got)
	w.mu.Unlock()
	if w.respond == nil {
		return Response{Status: 200}, nil
	}
	return w.respond(ctx, got)
}

// receivedBy is what a client received so far.
func (w *fixture) receivedBy(client string) (list []receivedToken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.received {
		if r.client == client {
			list = append(list, r)
		}
	}
	return list
}

func discardLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// noJitter is no jitter.
func noJitter() float64 { return 0.5 }

func (w *fixture) dispatcher() *Dispatcher {
	return &Dispatcher{
		Store:  w.store,
		Sign:   sign,
		Post:   w.post,
		Now:    w.now,
		Issuer: issuer,
		Rand:   noJitter,
		Log:    discardLog(),
	}
}

func (w *fixture) terminator(d *Dispatcher) *Terminator {
	return &Terminator{
		Store:     w.store,
		Now:       w.now,
		Wake:      d.Wake,
		Behind:    d.Behind,
		Issuer:    issuer,
		Log:       discardLog(),
		Lifetimes: Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute},
	}
}

// run runs a worker; stop ends it and waits for it.
func run(worker func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); worker(ctx) }()
	return func() { cancel(); <-done }
}

func (w *fixture) end(e *Terminator, sel storage.Selector) Result {
	w.t.Helper()
	o, err := e.End(
		w.t.Context(),
		storage.EndRequest{Selector: sel, Cause: storage.Cause{Reason: storage.ReasonLogout, By: "user:u"}},
	)
	w.must(err)
	return o
}

func (w *fixture) entry(o Result, client string) storage.ReportEntry {
	w.t.Helper()
	r, err := w.store.Report(w.t.Context(), o.ReportIDs[0])
	w.must(err)
	entry := r.Entry(KindClientSession, client)
	if entry == nil {
		w.t.Fatalf("no entry of %s in %+v", client, r)
	}
	return *entry
}

func (w *fixture) deliveries() []storage.Delivery {
	w.t.Helper()
	list, _, err := w.store.ListDeliveries(w.t.Context(), storage.DeliveryFilter{}, storage.Page{Limit: 100000})
	w.must(err)
	return list
}

// crashingStore is a store whose process can crash: from then on every call fails.
type crashingStore struct {
	*bolt.Store
	crashed atomic.Bool
	pages   atomic.Int32 // EndSessions calls until it crashes; 0: it does not
	before  func()       // runs before the transaction of a termination; nil: nothing runs
}

var errCrashed = errors.New("process crashed")

func (m *crashingStore) ClaimDeliveries(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	max int,
	newFilter func() storage.ClaimFilter,
) ([]storage.Delivery, error) {
	if m.crashed.Load() {
		return nil, errCrashed
	}
	return m.Store.ClaimDeliveries(ctx, at, lease, max, newFilter)
}

func (m *crashingStore) RecordOutcomes(ctx context.Context, s []storage.DeliveryOutcome) ([]string, error) {
	if m.crashed.Load() {
		return nil, errCrashed
	}
	return m.Store.RecordOutcomes(ctx, s)
}

func (m *crashingStore) EndSessions(
	ctx context.Context,
	req storage.EndRequest,
	at time.Time,
	limit int,
	plan func(storage.Termination) storage.Plan,
) ([]storage.Termination, bool, error) {
	if m.crashed.Load() {
		return nil, false, errCrashed
	}
	if m.before != nil {
		m.before()
	}
	if m.pages.Load() > 0 && m.pages.Add(-1) == 0 {
		m.crashed.Store(true)
	}
	return m.Store.EndSessions(ctx, req, at, limit, plan)
}

func (m *crashingStore) UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error {
	if m.crashed.Load() {
		return errCrashed
	}
	return m.Store.UpdateReport(ctx, id, change)
}

// lostReplyStore is a store that commits a termination and then loses its answer.
type lostReplyStore struct {
	*bolt.Store
	lost atomic.Bool
}

func (s *lostReplyStore) EndSessions(
	ctx context.Context,
	req storage.EndRequest,
	at time.Time,
	limit int,
	plan func(storage.Termination) storage.Plan,
) ([]storage.Termination, bool, error) {
	termination, more, err := s.Store.EndSessions(ctx, req, at, limit, plan)
	if s.lost.Load() && !req.Selector.Expired {
		return nil, false, storage.ErrUnavailable
	}
	return termination, more, err
}
