package password

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Priority says who waits for a hash. Waiters of a higher priority go first, so that strangers who flood sign-in
// cannot keep out users on devices where they have signed in before.
type Priority int

// The priorities, lowest first.
const (
	Stranger    Priority = iota // a browser in which the user has not signed in before
	KnownDevice                 // a browser in which the user has signed in, or a user or administrator who is signed in
	priorities
)

// maxQueueWait is how long a hash waits for its turn.
const maxQueueWait = 5 * time.Second

// queue lets a fixed number of hashes run at a time, because each takes a core and its whole memory.
type queue struct {
	mu      sync.Mutex
	free    int
	waiting [priorities]list.List // of chan struct{}, which is closed when the turn comes
}

// acquire waits for a turn. ErrBusy: it did not come within maxQueueWait.
func (q *queue) acquire(ctx context.Context, priority Priority) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	waiter := q.waiting[priority].PushBack(turn)
	q.mu.Unlock()

	timeout := time.NewTimer(maxQueueWait)
	defer timeout.Stop()
	var err error
	select {
	case <-turn:
		return nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = fmt.Errorf("hash password: %w", ctx.Err())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		return nil
	default:
		q.waiting[priority].Remove(waiter)
		return err
	}
}

// release gives the turn to the first waiter of the highest priority.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for priority := priorities - 1; priority >= 0; priority-- {
		if first := q.waiting[priority].Front(); first != nil {
			close(q.waiting[priority].Remove(first).(chan struct{}))
			return
		}
	}
	q.free++
}
