package authn

import (
	"errors"
	"sync"

	"github.com/curfew-id/curfew/storage"
)

// maxRefunds is how many counters are kept at most; further ones keep their counts.
const maxRefunds = 10_000

// Refunds keeps what the store could not take back: attempts that were counted, and then were right or not checked
// while the store did not write. They are taken off at the next attempt, so that a failing disk locks no user out. A
// restart forgets them. The zero value is ready; a nil *Refunds keeps nothing.
type Refunds struct {
	mu   sync.Mutex
	owed map[storage.Hash]refund
}

// refund is what is to be taken off one counter.
type refund struct {
	all      bool // the whole count
	attempts uint32
}

// keepIfFailed keeps a refund for each counter if err says that the store could not write it.
func (r *Refunds) keepIfFailed(err error, keys []storage.Hash, what []refund) {
	if r == nil || (!errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrFull)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed == nil {
		r.owed = map[storage.Hash]refund{}
	}
	for i, key := range keys {
		owed, known := r.owed[key]
		if !known && len(r.owed) >= maxRefunds {
			continue
		}
		r.owed[key] = refund{all: owed.all || what[i].all, attempts: owed.attempts + what[i].attempts}
	}
}

// of returns the refunds of counters.
func (r *Refunds) of(keys []storage.Hash) []refund {
	list := make([]refund, len(keys))
	if r == nil {
		return list
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, key := range keys {
		list[i] = r.owed[key]
	}
	return list
}

// settle forgets refunds that the store has now.
func (r *Refunds) settle(keys []storage.Hash, done []refund) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, key := range keys {
		if owed := r.owed[key]; owed == done[i] {
			delete(r.owed, key)
		} else if done[i] != (refund{}) {
			r.owed[key] = refund{attempts: owed.attempts - min(owed.attempts, done[i].attempts)}
		}
	}
}

// takeOff lowers a counter.
func (f refund) takeOff(c *storage.Counter) {
	if f.all {
		*c = storage.Counter{}
		return
	}
	c.Count -= min(c.Count, f.attempts)
}
