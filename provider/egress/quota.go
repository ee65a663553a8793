package egress

import (
	"sync"
	"time"
)

// totalQuotaFactor is the quota of all hosts together, as a multiple of the quota of one host.
const totalQuotaFactor = 10

// fetchQuota limits how many documents are fetched in a minute. Without a limit, strangers who register clients could
// make Curfew overload another host, or itself.
type fetchQuota struct {
	perHost int // 0: no limit

	mu     sync.Mutex
	start  time.Time      // of the current minute
	total  int            // fetches in this minute
	counts map[string]int // fetches in this minute, by host
}

// take counts a fetch from host and returns true. If the quota is used up, it returns false.
func (q *fetchQuota) take(host string, now time.Time) bool {
	if q.perHost == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if age := now.Sub(q.start); age >= time.Minute || age < 0 {
		q.start = now
		q.total = 0
		q.counts = map[string]int{}
	}
	if q.counts[host] >= q.perHost || q.total >= q.perHost*totalQuotaFactor {
		return false
	}
	q.counts[host]++
	q.total++
	return true
}
