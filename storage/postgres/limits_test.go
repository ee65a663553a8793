package postgres

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// mustAddGrants gives a session of ann further grants, as a store of an earlier build may have them.
func mustAddGrants(t testing.TB, s *Store, sid string, first, count int) {
	t.Helper()
	const chunk = 1000
	for ; count > 0; count -= chunk {
		must(t, s.update(t.Context(), func(tx *tx) error {
			for n := range min(count, chunk) {
				id := fmt.Sprintf("grant-%d", first+n)
				g := storage.Grant{
					ID:          id,
					Client:      "app",
					Subject:     "ann",
					Session:     "s",
					SID:         sid,
					Created:     start,
					RefreshHash: storage.HashOf(id),
				}
				tx.addGrant(g, tx.encode(g))
			}
			return nil
		}))
		first += chunk
	}
}

// TestReplicasKeepOneLimitOfGrantsAndConsents: requests at two replicas at once do not get past a limit together.
func TestReplicasKeepOneLimitOfGrantsAndConsents(t *testing.T) {
	const room = 5
	replicas := mustReplicas(t, 2)
	mustSignIn(t, replicas[0])
	code := newCode("first", 0)
	_, err := replicas[0].Redeem(t.Context(), code, start, issue(code))
	must(t, err)
	mustAddGrants(t, replicas[0], code.SID, 0, storage.MaxGrants-room-1)
	must(t, replicas[0].update(t.Context(), func(tx *tx) error {
		for n := range storage.MaxConsents - room {
			c := storage.Consent{Subject: "ann", Client: fmt.Sprint("client-", n), At: start}
			tx.exec(`INSERT INTO @consents (subject, client, sequence, record) VALUES ($1, $2, 1, $3)`,
				c.Subject, c.Client, tx.encode(c))
		}
		return nil
	}))
	var workers sync.WaitGroup
	var grants, consents, refused atomic.Int64
	count := func(what *atomic.Int64, err error) {
		switch {
		case err == nil:
			what.Add(1)
		case errors.Is(err, storage.ErrLimit):
			refused.Add(1)
		default:
			t.Error(err)
		}
	}
	for n := range 4 * room {
		replica := replicas[n%2]
		client := fmt.Sprint("another-", n)
		must(t, replica.PutClient(t.Context(), storage.Client{Metadata: storage.Metadata{ClientID: client}}))
		workers.Go(func() {
			code := newCode(fmt.Sprint("code-", n), 0)
			code.SID = "sid of first"
			_, err := replica.Redeem(t.Context(), code, start, issue(code))
			count(&grants, err)
		})
		workers.Go(func() {
			count(&consents, replica.PutConsent(t.Context(), storage.Consent{Subject: "ann", Client: client, At: start}))
		})
	}
	workers.Wait()
	got := [3]int64{grants.Load(), consents.Load(), refused.Load()}
	if want := [3]int64{room, room, 6 * room}; got != want {
		t.Errorf("got %d grants, %d consents and %d refusals, want %d", got[0], got[1], got[2], want)
	}
}

// TestLogoutEndsAllGrantsOfASessionWithManyGrants: a database that was copied from an earlier build may have a session
// with more grants than MaxGrants. While it ends at one replica, the other one signs another user in, over and over. The
// test prints how long both took.
func TestLogoutEndsAllGrantsOfASessionWithManyGrants(t *testing.T) {
	const grantCount = 40_000
	replicas := mustReplicas(t, 2)
	mustSignIn(t, replicas[0])
	code := newCode("first", 0)
	_, err := replicas[0].Redeem(t.Context(), code, start, issue(code))
	must(t, err)
	mustAddGrants(t, replicas[0], code.SID, 0, grantCount)
	must(t, replicas[0].PutUser(t.Context(), storage.User{Subject: "bob", Name: "bob", Created: start}))
	n := 0
	signIn := func() time.Duration {
		n++
		session := newSession(fmt.Sprint("of-bob-", n))
		session.Subject = "bob"
		began := time.Now()
		must(t, replicas[1].CreateSession(t.Context(), session, storage.Event{At: start, Kind: "session.created"}))
		return time.Since(began)
	}
	alone := time.Duration(0)
	for range 50 {
		alone = max(alone, signIn())
	}
	done := make(chan time.Duration, 1)
	go func() {
		began := time.Now()
		request := endRequest(storage.Selector{Sessions: []storage.SessionID{"s"}})
		_, _, err := replicas[0].EndSessions(t.Context(), request, start, 0, nil)
		if err != nil {
			t.Error(err)
		}
		done <- time.Since(began)
	}()
	var took, longest time.Duration
	during := 0
	for took == 0 {
		longest = max(longest, signIn())
		during++
		select {
		case took = <-done:
		default:
		}
	}
	t.Logf("the termination took %v; meanwhile %d sign-ins of another user took at most %v (alone %v)",
		took, during, longest, alone)
	for _, id := range []int{0, grantCount / 2, grantCount - 1} {
		if _, err := replicas[1].ActiveGrant(t.Context(), fmt.Sprintf("grant-%d", id), code.SID, start); err == nil {
			t.Errorf("got grant %d still active after the logout", id)
		}
	}
	for removed := 1; removed > 0; {
		removed, err = replicas[0].Sweep(t.Context(), start, 5000)
		must(t, err)
	}
	must(t, replicas[0].update(t.Context(), func(tx *tx) error {
		for _, table := range []string{"grants", "refresh_tokens", "ended_grants", "ended_sessions"} {
			var left int
			if tx.queryRow(`SELECT count(*) FROM @`+table, nil, &left); left != 0 {
				return fmt.Errorf("%d rows of %s are left after the sweep", left, table)
			}
		}
		return nil
	}))
}
