package logout

import (
	"errors"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// beforeCommit makes something happen between t0 of a termination and its transaction, which may wait for others.
func (w *fixture) beforeCommit(between func()) *crashingStore {
	m := &crashingStore{Store: w.store}
	m.before = func() {
		m.before = nil
		time.Sleep(5 * time.Millisecond)
		between()
		time.Sleep(5 * time.Millisecond)
	}
	return m
}

// Who signs in with the old password while the new one waits to be stored says that this was after t0.
func TestSessionSignedInWithTheOldPasswordDuringItsChangeIsEnded(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		keep := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		e := w.terminator(d)
		var late storage.SessionID
		e.Store = w.beforeCommit(func() { late = w.session("rp") })
		u, err := w.store.User(t.Context(), "u")
		w.must(err)
		u.Password = "another"
		_, err = e.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{Subject: "u", Except: keep},
			Cause:    storage.Cause{Reason: storage.ReasonPasswordChange, By: "user:u"},
			Change:   storage.Change{User: &u},
		})
		w.must(err)
		if _, err := w.store.Session(t.Context(), late, time.Now()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("got error %v for the session begun by the old password, want it ended", err)
		}
		if got := len(w.deliveries()); got != 2 { // a client that joined shortly before is notified twice
			t.Errorf("got %d deliveries, want its client notified", got)
		}
		time.Sleep(time.Millisecond)
		for _, id := range []storage.SessionID{keep, w.session()} {
			_, err := w.store.Session(t.Context(), id, time.Now())
			w.must(err)
		}
	})
}

func TestCodeIssuedDuringConsentWithdrawalIsRevoked(t *testing.T) {
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{})
		id := w.session("rp")
		consent := storage.Consent{Subject: "u", Client: "rp", Scope: []string{"openid"}, At: time.Now()}
		w.must(w.store.PutConsent(t.Context(), consent))
		w.waitRenotifyDelay()
		e := w.terminator(w.dispatcher())
		var code storage.Code
		e.Store = w.beforeCommit(func() {
			now := time.Now()
			code = storage.Code{
				ID:       "code",
				Client:   "rp",
				Subject:  "u",
				Session:  id,
				SID:      "another",
				Sequence: w.sequence(),
				Issued:   now,
				Expires:  now.Add(time.Minute),
			}
		})
		cause := storage.Cause{Reason: storage.ReasonConsentWithdrawn, By: "user:u"}
		_, err := e.End(t.Context(), storage.EndRequest{
			Selector: storage.Selector{Subject: "u", Client: "rp", IncludeOffline: true},
			Cause:    cause,
			Change:   storage.Change{WithdrawConsent: &consent},
		})
		w.must(err)
		_, err = w.store.Redeem(
			t.Context(),
			code,
			time.Now(),
			func(storage.Session, storage.ClientSession) (storage.Issuance, error) { return storage.Issuance{}, nil },
		)
		if !errors.Is(err, storage.ErrRevoked) {
			t.Errorf("got error %v for the code, want %v", err, storage.ErrRevoked)
		}
	})
}
