package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// start is when the sessions of these tests begin.
var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// mustReplicas opens stores on the same records, as replicas do.
func mustReplicas(t testing.TB, n int) []*Store {
	t.Helper()
	o := mustOptions(t)
	replicas := make([]*Store, n)
	for i := range replicas {
		replicas[i] = mustOpen(t, o)
	}
	return replicas
}

// must stops the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustSignIn makes the user ann, the client app and a session.
func mustSignIn(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.PutUser(t.Context(), storage.User{Subject: "ann", Name: "ann", Created: start}))
	must(t, s.PutClient(t.Context(), storage.Client{Metadata: storage.Metadata{ClientID: "app"}, Created: start}))
	must(t, s.CreateSession(t.Context(), newSession("s"), storage.Event{At: start, Kind: "session.created"}))
}

// newSession is a session of ann that lasts eight hours.
func newSession(id string) storage.Session {
	return storage.Session{
		ID:          storage.SessionID(id),
		SecretHash:  storage.HashOf("secret of " + id),
		Subject:     "ann",
		AuthTime:    start,
		Created:     start,
		LastActive:  start,
		IdleTimeout: 8 * time.Hour,
		Expires:     start.Add(8 * time.Hour),
	}
}

func newCode(id string, sequence storage.Sequence) storage.Code {
	return storage.Code{
		ID:       id,
		Client:   "app",
		Subject:  "ann",
		Session:  "s",
		SID:      "sid of " + id,
		Sequence: sequence,
		Issued:   start,
		Expires:  start.Add(time.Hour),
	}
}

// issue gives a grant, a refresh token and an access token, named after the code.
func issue(code storage.Code) issueFunc {
	return func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
		return storage.Issuance{
			Grant: storage.Grant{
				ID:          "grant of " + code.ID,
				Session:     session.ID,
				Created:     start,
				LastUsed:    start,
				Expires:     session.Expires,
				RefreshHash: storage.HashOf("refresh of " + code.ID),
			},
			Tokens: []storage.Token{{
				Hash:    storage.HashOf("token of " + code.ID),
				SID:     cs.SID,
				Issued:  start,
				Expires: start.Add(time.Hour),
			}},
		}, nil
	}
}

func endRequest(sel storage.Selector) storage.EndRequest {
	return storage.EndRequest{Selector: sel, Cause: storage.Cause{ID: "cause", Reason: storage.ReasonAdmin, By: "admin"}}
}

// selectors end the session of mustSignIn in all ways that differ in their locks.
var selectors = map[string]storage.Selector{
	"session":        {Sessions: []storage.SessionID{"s"}},
	"client session": {Sessions: []storage.SessionID{"s"}, Client: "app"},
	"user":           {Subject: "ann"},
	"client":         {Client: "app"},
	"all users":      {AllUsers: true},
}

// TestTerminationTakesARedemptionThatCommitsLate: the redemption has read everything, the sequence included, when the
// termination begins at another replica. The termination waits, and ends what the redemption has stored.
func TestTerminationTakesARedemptionThatCommitsLate(t *testing.T) {
	for name, sel := range selectors {
		t.Run(name, func(t *testing.T) {
			replicas := mustReplicas(t, 2)
			mustSignIn(t, replicas[0])
			reached, proceed := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(proceed) })
			defer release()
			redeemed := make(chan error, 1)
			code := newCode("code", 0)
			var once sync.Once
			go func() {
				_, err := replicas[0].Redeem(t.Context(), code, start, func(
					session storage.Session, cs storage.ClientSession,
				) (storage.Issuance, error) {
					once.Do(func() {
						close(reached)
						<-proceed
					})
					return issue(code)(session, cs)
				})
				redeemed <- err
			}()
			<-reached
			type result struct {
				terminations []storage.Termination
				err          error
			}
			ended := make(chan result, 1)
			go func() {
				list, _, err := replicas[1].EndSessions(t.Context(), endRequest(sel), start, 0, nil)
				ended <- result{list, err}
			}()
			mustWaitForLock(t, replicas[0])
			release()
			must(t, <-redeemed)
			r := <-ended
			must(t, r.err)
			if len(r.terminations) != 1 || len(r.terminations[0].Session.ClientSessions) != 1 {
				t.Fatalf("got %+v, want the client session that was stored late", r.terminations)
			}
			for i, s := range replicas {
				if _, _, err := s.Token(t.Context(), storage.HashOf("token of code"), start); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("replica %d: got %v for the token of an ended session", i, err)
				}
			}
		})
	}
}

// TestRedemptionSeesATerminationThatCommitsLate: the termination has its sequence and has not committed when the
// redemption begins at another replica. The redemption waits, and is refused.
func TestRedemptionSeesATerminationThatCommitsLate(t *testing.T) {
	for name, sel := range selectors {
		t.Run(name, func(t *testing.T) {
			replicas := mustReplicas(t, 2)
			mustSignIn(t, replicas[0])
			first := newCode("first", 0)
			_, err := replicas[0].Redeem(t.Context(), first, start, issue(first))
			must(t, err)
			code := newCode("code", 0)
			reached, proceed := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(proceed) })
			defer release()
			ended, redeemed := make(chan error, 1), make(chan error, 1)
			var once sync.Once
			go func() {
				_, _, err := replicas[0].EndSessions(t.Context(), endRequest(sel), start, 0, func(
					storage.Termination,
				) storage.Plan {
					once.Do(func() {
						close(reached)
						<-proceed
					})
					return storage.Plan{}
				})
				ended <- err
			}()
			<-reached
			go func() {
				_, err := replicas[1].Redeem(t.Context(), code, start, issue(code))
				redeemed <- err
			}()
			mustWaitForLock(t, replicas[0])
			release()
			must(t, <-ended)
			if err := <-redeemed; !errors.Is(err, storage.ErrRevoked) {
				t.Fatalf("got %v, want %v", err, storage.ErrRevoked)
			}
		})
	}
}

// mustWaitForLock waits until a transaction in the store's schema waits for another one.
func mustWaitForLock(t testing.TB, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var waiting int
		must(t, s.pool.QueryRow(
			t.Context(),
			`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'`,
			s.options.Schema,
		).Scan(&waiting))
		if waiting > 0 {
			return
		}
	}
	t.Fatal("no transaction waits")
}

func TestRequestsNeedFewRoundTrips(t *testing.T) {
	s := mustReplicas(t, 1)[0]
	mustSignIn(t, s)
	ctx := t.Context()
	n := 0
	redeem := func() error {
		n++
		code := newCode(fmt.Sprint("code", n), 0)
		_, err := s.Redeem(ctx, code, start, issue(code))
		return err
	}
	must(t, redeem())
	token := "refresh of code1"
	for name, c := range map[string]struct {
		most uint64
		do   func() error
	}{
		"introspection of an opaque token": {1, func() error {
			_, _, err := s.Token(ctx, storage.HashOf("token of code1"), start)
			return err
		}},
		"introspection of a JWT": {1, func() error {
			_, err := s.ActiveGrant(ctx, "grant of code1", "sid of code1", start)
			return err
		}},
		"introspection of a client's JWT": {1, func() error { return s.ClientCredentialsTokenActive(ctx, "app", 0) }},
		"session of a cookie": {1, func() error {
			_, err := s.SessionBySecret(ctx, storage.HashOf("secret of s"), start)
			return err
		}},
		"redemption of a code": {2, redeem},
		"refresh": {2, func() error {
			n++
			next := fmt.Sprint("refresh token ", n)
			_, err := s.Refresh(ctx, storage.RefreshRequest{
				Token: storage.HashOf(token), NewToken: storage.HashOf(next), Client: "app",
			}, start, func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
				return storage.Issuance{Grant: g}, nil
			})
			token = next
			return err
		}},
		"token of a client for itself": {2, func() error {
			n++
			return s.PutToken(ctx, storage.Token{
				Hash: storage.HashOf(fmt.Sprint(n)), Client: "app", Issued: start, Expires: start.Add(time.Hour),
			})
		}},
		"client": {0, func() error {
			_, err := s.Client(ctx, "app")
			return err
		}},
	} {
		fewest := uint64(1 << 32)
		for range 30 { // the first ones on a connection also prepare the statements
			before := s.RoundTrips()
			must(t, c.do())
			fewest = min(fewest, s.RoundTrips()-before)
		}
		if fewest > c.most {
			t.Errorf("%s: got %d round trips, want at most %d", name, fewest, c.most)
		}
	}
}

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	o := mustOptions(t)
	o.Schema = "together"
	t.Cleanup(func() { mustExec(t, o.URL, `DROP SCHEMA together CASCADE`) })
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestReleaseKnowsItsSchema(t *testing.T) {
	o := mustOptions(t)
	o.Schema = "releases"
	t.Cleanup(func() { mustExec(t, o.URL, `DROP SCHEMA IF EXISTS releases CASCADE`) })
	o.KeepSchema = true
	if _, err := Open(t.Context(), o); !errors.Is(err, storage.ErrOlder) {
		t.Errorf("a schema without tables: got %v, want %v", err, storage.ErrOlder)
	}
	o.KeepSchema = false
	mustOpen(t, o)
	mustExec(t, o.URL, `UPDATE releases.schema_version SET version = version + 1`)
	if _, err := Open(t.Context(), o); !errors.Is(err, storage.ErrNewer) {
		t.Errorf("a schema of a newer release: got %v, want %v", err, storage.ErrNewer)
	}
}

func TestReplicaWithAWrongClockIsNotReady(t *testing.T) {
	s := mustReplicas(t, 1)[0]
	for skew, want := range map[time.Duration]bool{
		0:                 true,
		20 * time.Second:  true,
		-20 * time.Second: true,
		5 * time.Minute:   false,
		-5 * time.Minute:  false,
	} {
		err := s.CheckClock(t.Context(), time.Now().Add(skew))
		if (err == nil) != want || err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v off: got %v", skew, err)
		}
	}
}
