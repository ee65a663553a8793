package bolt

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// openOutcomes are the ways in which a write takes effect although its caller got an error.
var openOutcomes = map[string]func(t *testing.T, s *Store, disk *faultyDisk, write func() error){
	"the sync took too long": func(t *testing.T, s *Store, disk *faultyDisk, write func() error) {
		disk.hang = make(chan struct{})
		if err := write(); !errors.Is(err, errSlow) {
			t.Fatalf("got error %v", err)
		}
		close(disk.hang)
	},
	"the sync failed after the disk had the data": func(t *testing.T, s *Store, disk *faultyDisk, write func() error) {
		disk.once.Store(true)
		if err := write(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("got error %v", err)
		}
	},
}

// testOpenOutcomes runs a test for each way, with a store whose next write fails in that way.
func testOpenOutcomes(t *testing.T, test func(t *testing.T, s *Store, failing func(write func() error))) {
	for name, fail := range openOutcomes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, disk := mustOpenFaulty(t, nil)
				test(t, s, func(write func() error) { fail(t, s, disk, write) })
			})
		})
	}
}

// TestCodeCanBeRedeemedAgainAfterAnOpenOutcome: the client never got the tokens, so that its repetition is no reuse.
func TestCodeCanBeRedeemedAgainAfterAnOpenOutcome(t *testing.T) {
	testOpenOutcomes(t, func(t *testing.T, s *Store, failing func(func() error)) {
		for _, offline := range []bool{false, true} {
			id := map[bool]string{false: "bound", true: "offline"}[offline]
			code := fixtureCode(id, "app", fixtureSession("ann", "ann"))
			failing(func() error { _, err := redeemFixture(t, s, code, offline); return err })
			must(t, s.Ready(context.Background())) // the write is taken back before the next one
			if _, _, err := s.Token(context.Background(), storage.HashOf("token-"+id), fixtureStart); !errors.Is(
				err,
				storage.ErrNotFound,
			) {
				t.Errorf("%s: a token that no client got: got error %v", id, err)
			}
			r, err := s.Redeem(
				context.Background(),
				code,
				fixtureStart,
				func(session storage.Session, _ storage.ClientSession) (storage.Issuance, error) {
					return storage.Issuance{
						Grant: storage.Grant{
							ID:      "second-" + id,
							Session: session.ID,
							Created: fixtureStart,
							Expires: session.Expires,
						},
					}, nil
				},
			)
			must(t, err)
			if r.Reused {
				t.Errorf("%s: the repetition counts as reuse", id)
			}
			r, err = redeemFixture(t, s, code, offline)
			must(t, err)
			if !r.Reused || r.Grant.ID != "second-"+id {
				t.Errorf("%s: a third redemption: got %+v", id, r)
			}
		}
	})
}

// TestRefreshCanBeRepeatedAfterAnOpenOutcome: the repetition is no reuse, however long after the first attempt it comes.
func TestRefreshCanBeRepeatedAfterAnOpenOutcome(t *testing.T) {
	testOpenOutcomes(t, func(t *testing.T, s *Store, failing func(func() error)) {
		failing(func() error { return refreshFixture(s, "ann") })
		grace := time.Minute // of refreshFixture
		result, err := refreshFixtureAt(s, "ann", fixtureStart.Add(2*grace))
		must(t, err)
		if result.Reused || result.Repeated {
			t.Errorf("got %+v, want the first exchange of the token", result)
		}
		result, err = refreshFixtureAt(s, "ann", fixtureStart.Add(4*grace))
		must(t, err)
		if !result.Reused {
			t.Errorf("got %+v, want a reuse of the token", result)
		}
	})
}

// TestRefreshThatAnotherRequestRepeatedIsNotTakenBack: the other request got the successor.
func TestRefreshThatAnotherRequestRepeatedIsNotTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disk := mustOpenFaulty(t, nil)
		disk.hang = make(chan struct{})
		blocked := background(func() error { return s.AppendEvents(context.Background(), storage.Event{}) })
		synctest.Wait() // the next jobs share a batch
		abandoned := background(func() error { return refreshFixture(s, "ann") })
		time.Sleep(time.Second)
		repeated := background(func() error {
			_, err := refreshFixtureAt(s, "ann", fixtureStart.Add(time.Second))
			return err
		})
		time.Sleep(3 * time.Second)
		disk.hang <- struct{}{} // the first commit is done; the second hangs until the first refresh has timed out
		must(t, <-blocked)
		time.Sleep(time.Second)
		if err := <-abandoned; !errors.Is(err, errSlow) {
			t.Fatalf("got error %v, want %v", err, errSlow)
		}
		disk.hang <- struct{}{}
		must(t, <-repeated)
		close(disk.hang)
		must(t, s.Ready(context.Background())) // takes back what is taken back
		_, current, err := s.GrantByRefresh(context.Background(), storage.HashOf("next-ann"), fixtureStart)
		must(t, err)
		if !current {
			t.Error("the successor that the second request got is not current")
		}
	})
}

// TestAttemptsAreGivenBackAfterAnOpenOutcome: an attempt to sign in that was refused by the disk is not counted.
func TestAttemptsAreGivenBackAfterAnOpenOutcome(t *testing.T) {
	keys := []storage.Hash{storage.HashOf("account"), storage.HashOf("address")}
	count := func(s *Store) error {
		return s.CountAttempt(context.Background(), keys, func(c []storage.Counter) error {
			c[0].Count, c[0].Last = c[0].Count+1, fixtureStart
			c[1].Count, c[1].Last = c[1].Count+1, fixtureStart
			return nil
		})
	}
	testOpenOutcomes(t, func(t *testing.T, s *Store, failing func(func() error)) {
		must(t, count(s))
		failing(func() error { return count(s) })
		must(t, s.CountAttempt(context.Background(), keys, func(c []storage.Counter) error {
			if c[0].Count != 1 || c[1].Count != 1 {
				t.Errorf("got counters %+v, want 1 and 1", c)
			}
			return nil
		}))
	})
}

// TestClaimsAreGivenBackAfterAnOpenOutcome: deliveries that no dispatcher holds are due again, without an attempt.
func TestClaimsAreGivenBackAfterAnOpenOutcome(t *testing.T) {
	testOpenOutcomes(t, func(t *testing.T, s *Store, failing func(func() error)) {
		request := storage.EndRequest{Selector: storage.Selector{Subject: "bob"}, Cause: storage.Cause{ID: "cause"}}
		_, _, err := s.EndSessions(context.Background(), request, fixtureStart, 0, fixturePlan)
		must(t, err)
		claim := func() ([]storage.Delivery, error) {
			return s.ClaimDeliveries(context.Background(), fixtureStart, time.Minute, 10, nil)
		}
		failing(func() error { _, err := claim(); return err })
		list, err := claim()
		must(t, err)
		if len(list) != 1 || list[0].Attempts != 1 {
			t.Errorf("got %+v, want one delivery at its first attempt", list)
		}
	})
}
