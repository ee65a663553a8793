package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

func TestConcurrentWritersNeedOneCommit(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.update(context.Background(), func(t *tx) error {
			close(started)
			<-release
			t.put(meta, []byte("first"), []byte{1})
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-started
	for i := range 50 {
		wg.Go(func() {
			if err := s.MarkUsed(context.Background(), fmt.Sprint(i), time.Unix(0, 0), time.Unix(9e9, 0), time.Unix(0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	for len(s.queue) < 50 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if got := s.Commits(); got != 2 {
		t.Errorf("got %d commits, want 2", got)
	}
}

func TestJobThatFailsAfterWritingDoesNotAffectOthers(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	started, release := make(chan struct{}), make(chan struct{})
	refused := errors.New("refused")
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.update(context.Background(), func(*tx) error { close(started); <-release; return nil })
	})
	<-started
	for i := range 30 {
		wg.Go(func() {
			err := s.update(context.Background(), func(t *tx) error {
				t.put(meta, fmt.Append(nil, "key ", i), []byte{1})
				t.putClient(storage.Client{Metadata: storage.Metadata{ClientID: fmt.Sprint(i)}})
				t.appendEvent(storage.Event{Kind: "test"})
				switch i % 3 {
				case 0:
					return refused
				case 1:
					panic("a bug")
				}
				return nil
			})
			if i%3 == 0 && !errors.Is(err, refused) || i%3 == 1 && !errors.Is(err, storage.ErrUnavailable) ||
				i%3 == 2 && err != nil {
				t.Errorf("function %d: got error %v", i, err)
			}
		})
	}
	for len(s.queue) < 30 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	for range 2 {
		for i := range 30 {
			if _, err := s.Client(t.Context(), fmt.Sprint(i)); (err == nil) != (i%3 == 2) {
				t.Errorf("client %d: got error %v", i, err)
			}
		}
		lines, _, err := s.ListEvents(t.Context(), storage.EventFilter{}, storage.Page{})
		must(t, err)
		if len(lines) != 10 || !lines[9].Follows(9, lines[8].Hash) {
			t.Errorf("got %d lines, want an unbroken 10", len(lines))
		}
		must(t, s.reload())
	}
	if got := s.Commits(); got != 1 {
		t.Errorf("got %d commits, want 1", got)
	}
}

func TestCallerThatGaveUpIsNotCalledBack(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.update(context.Background(), func(*tx) error { close(started); <-release; return nil })
	})
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	var called atomic.Bool
	waiting := make(chan error)
	go func() {
		waiting <- s.CountAttempt(ctx, []storage.Hash{{1}}, func([]storage.Counter) error { called.Store(true); return nil })
	}()
	for len(s.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	close(release)
	wg.Wait()
	must(t, s.Ready(t.Context()))
	if called.Load() {
		t.Error("a caller who had gone was called back")
	}
	_, err := s.User(ctx, "ann")
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a read with a cancelled context: got error %v", err)
	}
}

func TestCloseAnswersWaitingCallers(t *testing.T) {
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := s.MarkUsed(context.Background(), fmt.Sprint(i), time.Unix(0, 0), time.Unix(9e9, 0), time.Unix(0, 0))
			if err != nil && !errors.Is(err, storage.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	must(t, s.Close())
	wg.Wait()
}

// The budget of fsyncs: what a request may cost on any disk.
func TestCommitsPerCall(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	must(t, s.PutUser(ctx, storage.User{Subject: "ann", Name: "ann"}))
	must(t, s.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	must(t, s.CreateSession(ctx, storage.Session{
		ID:          "s",
		SecretHash:  storage.HashOf("s"),
		Subject:     "ann",
		Created:     at,
		LastActive:  at,
		IdleTimeout: time.Hour,
		Expires:     at.Add(time.Hour),
	}, storage.Event{}))
	code := storage.Code{
		ID:      "code",
		Client:  "app",
		Subject: "ann",
		Session: "s",
		SID:     "sid",
		Issued:  at,
		Expires: at.Add(time.Minute),
	}
	first := func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
		return storage.Issuance{
			Grant:  storage.Grant{ID: "g", Session: "s", RefreshHash: storage.HashOf("r1")},
			Tokens: []storage.Token{{Hash: storage.HashOf("t"), SID: "sid", Expires: at.Add(time.Hour)}},
		}, nil
	}
	next := func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
		return storage.Issuance{Grant: g}, nil
	}
	plan := func(storage.Termination) storage.Plan {
		return storage.Plan{Deliveries: []storage.Delivery{{ID: "d", State: storage.DeliveryPending, NextAttempt: at}}}
	}
	for _, c := range []struct {
		what string
		want uint64
		do   func() error
	}{
		{
			what: "redeem",
			want: 1,
			do:   func() error { _, err := s.Redeem(ctx, code, at, first); return err },
		},
		{"refresh, with activity", 1, func() error {
			_, err := s.Refresh(ctx, storage.RefreshRequest{
				Token:    storage.HashOf("r1"),
				NewToken: storage.HashOf("r2"),
				Client:   "app",
			}, at.Add(5*time.Minute), next)
			return err
		}},
		{
			what: "token",
			do:   func() error { _, _, err := s.Token(ctx, storage.HashOf("t"), at); return err },
		},
		{
			what: "session",
			do:   func() error { _, err := s.SessionBySecret(ctx, storage.HashOf("s"), at); return err },
		},
		{
			what: "touch within the step",
			do:   func() error { return s.Touch(ctx, "s", at.Add(5*time.Minute+time.Second)) },
		},
		{
			what: "touch",
			want: 1,
			do:   func() error { return s.Touch(ctx, "s", at.Add(6*time.Minute)) },
		},
		{
			what: "nothing to claim",
			do:   func() error { _, err := s.ClaimDeliveries(ctx, at, time.Minute, 10, nil); return err },
		},
		{
			what: "nothing to sweep",
			do:   func() error { _, err := s.Sweep(ctx, at, 10); return err },
		},
		{"nothing overdue", 0, func() error {
			_, _, err := s.EndSessions(ctx, storage.EndRequest{Selector: storage.Selector{Expired: true}}, at, 10, plan)
			return err
		}},
		{"end", 1, func() error {
			_, _, err := s.EndSessions(ctx, storage.EndRequest{Selector: storage.Selector{Sessions: []storage.SessionID{"s"}}}, at, 0, plan)
			return err
		}},
		{"end again", 0, func() error {
			_, _, err := s.EndSessions(ctx, storage.EndRequest{Selector: storage.Selector{Sessions: []storage.SessionID{"s"}}}, at, 0, plan)
			return err
		}},
		{
			what: "claim",
			want: 1,
			do:   func() error { _, err := s.ClaimDeliveries(ctx, at, time.Minute, 10, nil); return err },
		},
		{"settle", 1, func() error {
			_, err := s.RecordOutcomes(ctx, []storage.DeliveryOutcome{{ID: "d", Lease: 1, State: storage.DeliveryDone}})
			return err
		}},
		{
			what: "unknown token revoked",
			do:   func() error { return s.DeleteToken(ctx, storage.HashOf("none")) },
		},
		{"refused write", 0, func() error {
			if err := s.PutUser(ctx, storage.User{Subject: "ann", Name: "ann"}); !errors.Is(err, storage.ErrExists) {
				return fmt.Errorf("got error %w", err)
			}
			return nil
		}},
	} {
		before := s.Commits()
		must(t, c.do())
		if got := s.Commits() - before; got != c.want {
			t.Errorf("%s: got %d commits, want %d", c.what, got, c.want)
		}
	}
}

func TestStoreWorksUnderAVirtualClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{Path: path})
		must(t, s.MarkUsed(t.Context(), "id", time.Now(), time.Now().Add(time.Hour), time.Now()))
		time.Sleep(2 * time.Hour)
		must(t, s.MarkUsed(t.Context(), "id", time.Now(), time.Now().Add(time.Hour), time.Now()))
	})
}
