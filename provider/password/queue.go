package password

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Priority is the priority of a waiting hash. Hashes of a higher priority run first: a flood of sign-ins from unknown
// browsers does not keep out users on their known devices.
type Priority int

// The priorities, lowest first.
const (
	Stranger    Priority = iota // a browser in which the user has not signed in before
	KnownDevice                 // a browser in which the user has signed in, or a signed-in user or administrator
	priorities                  // the number of priorities
)

// maxQueueWait limits how long a hash waits for its turn.
const maxQueueWait = 5 * time.Second

// queue limits the hashes that run at a time, because each of them takes one core and the memory of its cost.
type queue struct {
	mu      sync.Mutex
	free    int
	waiting [priorities]list.List // of chan struct{}; release closes the channel of the next hash
}

// acquire waits for a turn. If no turn comes within maxQueueWait, the error is ErrBusy.
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
	case <-turn: // release gave the turn at the same moment
		return nil
	default:
		q.waiting[priority].Remove(waiter)
		return err
	}
}

// release gives the turn to the hash that has waited longest, among those of the highest priority.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for priority := priorities - 1; priority >= 0; priority-- {
		first := q.waiting[priority].Front()
		if first == nil {
			continue
		}
		turn := q.waiting[priority].Remove(first).(chan struct{})
		close(turn)
		return
	}
	q.free++
}
