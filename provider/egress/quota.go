package egress

import (
	"sync"
	"time"
)

// hostsPerQuota is how many times the quota of one host all hosts have together.
const hostsPerQuota = 10

// fetchQuota bounds how many documents are fetched in a minute. Strangers choose what is fetched for them and when, so
// without a bound they could press another host, or us.
type fetchQuota struct {
	perHost int // 0: no limit

	mu     sync.Mutex
	start  time.Time
	total  int
	counts map[string]int // by host; at most as many entries as fetches
}

// take counts a fetch from host if the quota allows it.
func (q *fetchQuota) take(host string, now time.Time) bool {
	if q.perHost == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if age := now.Sub(q.start); age >= time.Minute || age < 0 {
		q.start, q.total, q.counts = now, 0, map[string]int{}
	}
	if q.counts[host] >= q.perHost || q.total >= q.perHost*hostsPerQuota {
		return false
	}
	q.counts[host]++
	q.total++
	return true
}
