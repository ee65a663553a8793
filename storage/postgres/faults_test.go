package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/pgserver"
	"github.com/curfew-id/curfew/storage"
)

// wire is a proxy in front of the database that can lose what passes.
type wire struct {
	net.Listener
	target    string
	loseReply atomic.Bool // the next commit reaches the server, and its reply is lost with the connection
	loseAll   atomic.Bool // the next commit is lost with the connection
	stalled   atomic.Bool // nothing passes any more
}

// mustWire returns a proxy in front of the server of a URL, and the URL that leads through it.
func mustWire(t *testing.T, database string) (*wire, string) {
	t.Helper()
	address, err := url.Parse(database)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{Listener: listener, target: address.Host}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { w.pass(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		connections.Wait()
	})
	address.Host = listener.Addr().String()
	return w, address.String()
}

// pass carries one connection.
func (w *wire) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	var lost atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				client.Close()
				return
			}
			if lost.Load() {
				client.Close() // the server has answered, so it has committed
				return
			}
			if w.stalled.Load() {
				continue
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		if bytes.Contains(buf[:n], []byte("COMMIT")) && bytes.Contains(buf[:n], []byte(".transactions (id)")) {
			if w.loseAll.CompareAndSwap(true, false) {
				break
			}
			if w.loseReply.CompareAndSwap(true, false) {
				lost.Store(true)
			}
		}
		if w.stalled.Load() {
			continue
		}
		if _, err := server.Write(buf[:n]); err != nil {
			break
		}
	}
	client.Close()
	server.Close()
	<-done
}

// TestOutcomeOfALostCommitIsLookedUp: the caller gets the result of the commit, and nothing happens twice.
func TestOutcomeOfALostCommitIsLookedUp(t *testing.T) {
	for _, reply := range []bool{true, false} {
		t.Run(fmt.Sprintf("only the reply is lost: %v", reply), func(t *testing.T) {
			o := mustOptions(t)
			mustOpen(t, o)
			direct := o
			w, through := mustWire(t, o.URL)
			o.URL, o.Unprepared, o.Timeout = through, true, 30*time.Second // the statements pass as text
			s := mustOpen(t, o)
			mustSignIn(t, s)
			code := newCode("code", 0)
			if reply {
				w.loseReply.Store(true)
			} else {
				w.loseAll.Store(true)
			}
			r, err := s.Redeem(t.Context(), code, start, issue(code))
			must(t, err)
			if r.Reused || r.Grant.ID == "" {
				t.Fatalf("got %+v, want the grant of a first use", r)
			}
			if w.loseReply.Load() || w.loseAll.Load() {
				t.Fatal("no commit was lost")
			}
			if reply {
				w.loseReply.Store(true)
			} else {
				w.loseAll.Store(true)
			}
			must(t, s.AppendEvents(t.Context(), storage.Event{At: start, Kind: "test.line"}))
			other := mustOpen(t, direct)
			if _, _, err := other.Token(t.Context(), storage.HashOf("token of code"), start); err != nil {
				t.Errorf("the token that was given does not count: %v", err)
			}
			lines, _, err := other.ListEvents(t.Context(), storage.EventFilter{Kind: "test.line"}, storage.Page{})
			must(t, err)
			if len(lines) != 1 {
				t.Errorf("got %d lines, want 1", len(lines))
			}
		})
	}
}

// TestDatabaseThatHangsIsUnavailableSoon: reads and writes, and never a yes.
func TestDatabaseThatHangsIsUnavailableSoon(t *testing.T) {
	o := mustOptions(t)
	mustOpen(t, o)
	w, through := mustWire(t, o.URL)
	o.URL, o.Timeout = through, 0
	s := mustOpen(t, o)
	w.stalled.Store(true)
	defer w.Close()
	for name, do := range map[string]func() error{
		"read": func() error {
			_, _, err := s.Token(t.Context(), storage.HashOf("token"), start)
			return err
		},
		"write": func() error { return s.AppendEvents(t.Context(), storage.Event{At: start}) },
		"logout": func() error {
			_, _, err := s.EndSessions(t.Context(), endRequest(storage.Selector{Subject: "ann"}), start, 0, nil)
			return err
		},
		"ready": func() error { return s.Ready(t.Context()) },
	} {
		begun := time.Now()
		if err := do(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", name, err, storage.ErrUnavailable)
		}
		if took := time.Since(begun); took > DefaultTimeout+2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// TestRequestWaitsForTheDatabaseWithinItsLimit: a request whose calls have used up its wait gets an error at once, and
// one that has little left does not wait for longer.
func TestRequestWaitsForTheDatabaseWithinItsLimit(t *testing.T) {
	o := mustOptions(t)
	mustOpen(t, o)
	w, through := mustWire(t, o.URL)
	o.URL, o.Timeout = through, 0
	s := mustOpen(t, o)
	w.stalled.Store(true)
	defer w.Close()
	ctx := storage.WithWaitLimit(t.Context(), 2*DefaultTimeout)
	begun := time.Now()
	for range 10 {
		if err := s.AppendEvents(ctx, storage.Event{At: start}); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, storage.ErrUnavailable)
		}
	}
	if took := time.Since(begun); took > 3*DefaultTimeout {
		t.Errorf("ten writes of one request took %v, want %v", took, 2*DefaultTimeout)
	}
}

// TestDatabaseComesBackAfterACrash: the store needs no restart.
func TestDatabaseComesBackAfterACrash(t *testing.T) {
	mustServer(t) // skips where PostgreSQL is missing
	server, err := pgserver.Start()
	must(t, err)
	defer func() { must(t, server.Close()) }()
	s := mustOpen(t, Options{URL: server.URL(), Timeout: 10 * time.Second})
	mustSignIn(t, s)
	var all sync.WaitGroup // several connections are open
	for range 8 {
		all.Go(func() { _, _ = s.Session(t.Context(), "s", start) })
	}
	all.Wait()
	server.Kill()
	if _, err := s.Session(t.Context(), "s", start); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without a database: got %v, want %v", err, storage.ErrUnavailable)
	}
	must(t, server.Restart())
	for range 10 {
		if _, err := s.Session(t.Context(), "s", start); err != nil {
			t.Fatalf("after the restart: %v", err)
		}
		must(t, s.Ready(t.Context()))
	}
}

func TestTLSIsVerifiedUnlessTheDatabaseIsOnThisMachine(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres://u@db.example.org/d":                         true,
		"postgres://u@127.0.0.1,db.example.org/d":               true,
		"postgres://u@/d?host=db.example.org":                   true,
		"postgres://u@localhost/d":                              false,
		"postgres://u@[::1]:5432/d":                             false,
		"postgres://u@/d?host=/run/postgresql":                  false,
		"postgres://u@db.example.org/d?sslmode=disable":         false,
		"postgres://u@db1.example.org:1,db2.example.org:2/d":    true,
		"postgresql://u:p@db.example.org/d?application_name=id": true,
	} {
		config, err := poolConfig(Options{URL: url, MaxConns: 1}, new(atomic.Uint64))
		must(t, err)
		tls := config.ConnConfig.TLSConfig
		verified := tls != nil && !tls.InsecureSkipVerify && tls.ServerName != ""
		for _, fallback := range config.ConnConfig.Fallbacks {
			verified = verified && fallback.TLSConfig != nil && !fallback.TLSConfig.InsecureSkipVerify
		}
		if verified != want {
			t.Errorf("%s: verified is %v, want %v", url, verified, want)
		}
		if config.ConnConfig.ValidateConnect == nil {
			t.Errorf("%s: a standby would be used", url)
		}
	}
	for _, bad := range []string{"", "mysql://x", "postgres://u:secret@h:x/d", "postgres://u:secret@h/d?sslmode=x"} {
		err := CheckURL(bad)
		if err == nil || bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// TestRepeatedClaimCountsFromZero: the deliveries of a transaction that was lost and repeated do not count as taken.
func TestRepeatedClaimCountsFromZero(t *testing.T) {
	o := mustOptions(t)
	w, through := mustWire(t, o.URL)
	o.URL, o.Unprepared, o.Timeout = through, true, 30*time.Second // the statements pass as text
	s := mustOpen(t, o)
	mustSignIn(t, s)
	var deliveries []storage.Delivery
	for i := range 3 {
		deliveries = append(deliveries, storage.Delivery{
			ID:          fmt.Sprint("d", i),
			Client:      "app",
			Host:        "app.example:443",
			State:       storage.DeliveryPending,
			Created:     start,
			NextAttempt: start,
			GiveUpAt:    start.Add(time.Hour),
		})
	}
	plan := func(storage.Termination) storage.Plan { return storage.Plan{Deliveries: deliveries} }
	_, _, err := s.EndSessions(t.Context(), endRequest(storage.Selector{Subject: "ann"}), start, 0, plan)
	must(t, err)
	begun := 0
	threeAtMost := func() storage.ClaimFilter {
		begun++
		taken := 0
		return func(string) bool { taken++; return taken <= 3 }
	}
	w.loseAll.Store(true)
	claimed, err := s.ClaimDeliveries(t.Context(), start.Add(time.Minute), time.Minute, 10, threeAtMost)
	must(t, err)
	if len(claimed) != 3 || begun != 2 {
		t.Errorf("got %d deliveries by %d filters, want 3 by the filter of the second try", len(claimed), begun)
	}
}
