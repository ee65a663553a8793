package register

import (
	"sync"
	"time"
)

// maxOpenPerDay is how many requests of open registration are taken in a day. Every stranger may send them, each
// leaves audit lines, which stay when the client goes, and may make us fetch a document from another host.
const maxOpenPerDay = 10_000

// dailyQuota counts them. It begins anew with the process.
type dailyQuota struct {
	mu       sync.Mutex
	dayStart time.Time
	count    int
}

// consume takes one, if there is one left for the day that began with the first.
func (q *dailyQuota) consume(now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if age := now.Sub(q.dayStart); age >= 24*time.Hour || age < 0 {
		q.dayStart, q.count = now, 0
	}
	if q.count >= maxOpenPerDay {
		return errDailyLimit
	}
	q.count++
	return nil
}
