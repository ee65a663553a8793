package authn

import (
	"errors"
	"sync"

	"github.com/curfew-id/curfew/storage"
)

// maxRefunds is the maximum number of counters with a refund. Refunds of further counters are lost.
const maxRefunds = 10_000

// Refunds keeps refunds that the store failed to write. A refund takes back counted attempts that succeeded or were not
// checked. The next attempt subtracts the refunds from its counters, so a failing disk does not lock users out. Refunds
// are lost at a restart. The zero value is ready to use. A nil *Refunds keeps nothing.
type Refunds struct {
	mu   sync.Mutex
	owed map[storage.Hash]refund
}

// refund is the number of attempts to take off one counter.
type refund struct {
	all      bool // the whole count
	attempts uint32
}

// keepIfFailed keeps the refunds, one for each key, if the store could not write them because of err.
func (r *Refunds) keepIfFailed(err error, keys []storage.Hash, refunds []refund) {
	writeFailed := errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrFull)
	if r == nil || !writeFailed {
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
		r.owed[key] = refund{
			all:      owed.all || refunds[i].all,
			attempts: owed.attempts + refunds[i].attempts,
		}
	}
}

// of returns the refund of each key, or the zero refund for a key without one.
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

// remove removes refunds that the store has written, one for each key. It keeps a refund that was added meanwhile.
func (r *Refunds) remove(keys []storage.Hash, written []refund) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, key := range keys {
		owed := r.owed[key]
		wasWritten := written[i] != refund{}
		switch {
		case owed == written[i]:
			delete(r.owed, key)
		case wasWritten: // owed is larger, because a refund was added meanwhile
			r.owed[key] = refund{attempts: owed.attempts - min(owed.attempts, written[i].attempts)}
		}
	}
}

// takeOff subtracts the refund from a counter.
func (f refund) takeOff(c *storage.Counter) {
	if f.all {
		*c = storage.Counter{}
		return
	}
	c.Count -= min(c.Count, f.attempts)
}
