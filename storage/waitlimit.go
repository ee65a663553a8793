package storage

import (
	"context"
	"sync"
	"time"
)

// RequestWait is how long the store calls of one HTTP request may wait for the disk or the database in total. It lets
// a request be answered within five seconds, however many writes it makes.
const RequestWait = 4500 * time.Millisecond

type waitLimitKey struct{}

// waitLimit counts the time during which at least one call of a request waits for the store.
type waitLimit struct {
	mu      sync.Mutex
	left    time.Duration // without the wait that is under way
	waiting int           // calls that wait now
	watch   Stopwatch     // started when waiting rose from 0
}

// WithWaitLimit returns a context whose store calls may wait for limit in total. Calls that wait at the same time count
// once. A call that has used up the rest returns ErrUnavailable.
func WithWaitLimit(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, waitLimitKey{}, &waitLimit{left: limit})
}

// BeginWait is for stores: a call begins to wait. It returns how long the call may wait, at most longest, and a
// function that the store must call when the wait has ended. Without WithWaitLimit the call may wait for longest.
func BeginWait(ctx context.Context, longest time.Duration) (most time.Duration, end func()) {
	l, ok := ctx.Value(waitLimitKey{}).(*waitLimit)
	if !ok {
		return longest, func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == 0 {
		l.watch = StartStopwatch()
	}
	l.waiting++
	return max(0, min(longest, l.left-l.watch.Elapsed())), l.end
}

// end takes off the time that has passed if no other call waits.
func (l *waitLimit) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting--; l.waiting == 0 {
		l.left -= l.watch.Elapsed()
	}
}
