package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// other.go tests the smaller parts of the contract: attempts, links, consents, keys, readiness.

var otherRecordTests = map[string]func(*world){
	"AttemptsAreCountedAtomically": func(w *world) {
		attemptKeys := []storage.Hash{storage.HashOf("account"), storage.HashOf("address")}
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if err := w.CountAttempt(w.ctx, attemptKeys, func(c []storage.Counter) error {
					for i := range c {
						c[i].Count, c[i].Last = c[i].Count+1, after(time.Second)
					}
					return nil
				}); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		w.restart()
		w.must(w.CountAttempt(w.ctx, attemptKeys, func(c []storage.Counter) error {
			mustEqual(
				w,
				"counters",
				c,
				[]storage.Counter{{Count: 40, Last: after(time.Second)}, {Count: 40, Last: after(time.Second)}},
			)
			c[0] = storage.Counter{}
			return nil
		}))
		w.must(w.CountAttempt(w.ctx, attemptKeys, func(c []storage.Counter) error {
			mustEqual(w, "counts", [2]uint32{c[0].Count, c[1].Count}, [2]uint32{0, 40})
			return nil
		}))
	},
	"RefusedAttemptIsNotCounted": func(w *world) {
		attemptKeys := []storage.Hash{storage.HashOf("account")}
		refused := errors.New("too many")
		err := w.CountAttempt(w.ctx, attemptKeys, func(c []storage.Counter) error { c[0].Count = 9; return refused })
		if err != refused {
			w.Fatalf("got error %v, want the error of the callback", err)
		}
		w.must(
			w.CountAttempt(
				w.ctx,
				attemptKeys,
				func(c []storage.Counter) error { mustEqual(w, "count", c[0].Count, 0); return nil },
			),
		)
	},
	"AttemptCountersHaveAFixedNumberOfSlots": func(w *world) {
		one, two := storage.Hash{1, 2, 3}, storage.Hash{1, 2, 4} // the same slot of 65,536
		w.must(w.CountAttempt(w.ctx, []storage.Hash{one, two}, func(c []storage.Counter) error {
			c[0].Count, c[1].Count = 5, 3
			return nil
		}))
		w.must(
			w.CountAttempt(
				w.ctx,
				[]storage.Hash{two},
				func(c []storage.Counter) error { mustEqual(w, "count", c[0].Count, 5); return nil },
			),
		)
	},
	"NewerLinkReplacesTheOlder": func(w *world) {
		w.mustUsers("ann")
		put := func(name, purpose, subject string) {
			w.must(w.PutOneTimeLink(w.ctx, storage.OneTimeLink{
				Hash:    storage.HashOf(name),
				Purpose: purpose,
				Subject: subject,
				Created: t0,
				Expires: after(time.Hour),
			}, storage.Event{At: t0, Kind: "link.made"}))
		}
		put("one", "reset", "ann")
		put("setup", "setup", "ann")
		put("bob's", "reset", "bob")
		put("two", "reset", "ann")
		for name, want := range map[string]error{"one": storage.ErrNotFound, "two": nil, "setup": nil, "bob's": nil} {
			_, err := w.OneTimeLink(w.ctx, storage.HashOf(name), after(time.Minute))
			w.mustBe(err, want)
		}
		_, err := w.OneTimeLink(w.ctx, storage.HashOf("two"), after(time.Hour))
		w.mustBe(err, storage.ErrNotFound)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{})), 4)
	},
	"ConsentReplacesTheEarlierOne": func(w *world) {
		w.mustUsers("ann", "anna")
		w.mustClients("app", "other")
		for _, c := range []storage.Consent{
			{Subject: "ann", Client: "app", Scope: []string{"openid"}, At: t0},
			{Subject: "ann", Client: "other", Scope: []string{"openid"}, At: t0},
			{Subject: "anna", Client: "app", Scope: []string{"openid"}, At: t0},
			{Subject: "ann", Client: "app", Scope: []string{"openid", "email"}, At: t0},
		} {
			w.must(w.PutConsent(w.ctx, c))
		}
		c, err := w.Consent(w.ctx, "ann", "app")
		w.must(err)
		mustEqual(w, "scope", c.Scope, []string{"openid", "email"})
		list, err := w.ListConsents(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "consents", len(list), 2)
		_, err = w.Consent(w.ctx, "anna", "other")
		w.mustBe(err, storage.ErrNotFound)
		w.mustBe(w.PutConsent(w.ctx, storage.Consent{Subject: "ann", Client: "nobody", At: t0}), storage.ErrRevoked)
	},
	"KeysAreListedOldestFirst": func(w *world) {
		key := func(id string, at time.Duration) storage.Key {
			return storage.Key{
				ID:       id,
				Use:      "sig",
				Alg:      "ES256",
				Public:   []byte(`{"kty":"EC"}`),
				Wrapped:  []byte{1, 2, 3},
				Created:  after(at),
				ActiveAt: after(at),
			}
		}
		w.must(
			w.PutKeys(
				w.ctx,
				nil,
				[]storage.Key{key("b", 2), key("a", 3e6), key("c", 1e6)},
				nil,
				storage.Event{At: t0, Kind: "key.made"},
			),
		)
		changed := key("c", 1e6)
		changed.Wrapped = nil
		list, err := w.ListKeys(w.ctx)
		w.must(err)
		gone := storage.Event{At: t0, Kind: "key.gone"}
		w.must(w.PutKeys(w.ctx, list, []storage.Key{changed}, []string{"b", "gone"}, gone))
		w.restart()
		list, err = w.ListKeys(w.ctx)
		w.must(err)
		mustEqual(w, "keys", list, []storage.Key{changed, key("a", 3e6)})
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "key."})), 2)
	},
	"KeysAreChangedByOneOfManyWhoReadTheSame": func(w *world) {
		var stored atomic.Int32
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				own := storage.Key{ID: fmt.Sprint("key", i), Use: "sig", Created: t0}
				switch err := w.PutKeys(w.ctx, nil, []storage.Key{own}, nil); {
				case err == nil:
					stored.Add(1)
				case !errors.Is(err, storage.ErrChanged):
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "stored", stored.Load(), 1)
		list, err := w.ListKeys(w.ctx)
		w.must(err)
		mustEqual(w, "keys", len(list), 1)
	},
	"ReadyWritesAndReadsBack": func(w *world) {
		for range 3 {
			w.must(w.Ready(w.ctx))
		}
	},
	"ClosedStoreIsUnavailable": func(w *world) {
		w.must(w.Close())
		w.must(w.Close())
		_, err := w.User(w.ctx, "ann")
		w.mustBe(err, storage.ErrUnavailable)
		w.mustBe(w.PutUser(w.ctx, storage.User{Subject: "ann", Name: "ann"}), storage.ErrUnavailable)
		w.mustBe(w.Ready(w.ctx), storage.ErrUnavailable)
	},
}
