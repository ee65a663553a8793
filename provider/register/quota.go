package register

import (
	"sync"
	"time"

	"github.com/curfew-id/curfew/provider/web"
)

// siteFactor is the limit of an IPv6 /48 divided by the limit of a /64. It is higher because a /48 contains many /64
// networks.
const siteFactor = 4

// quota counts the accepted requests of a day, in total and from each network. It is not stored and starts at 0 with
// the process. Its memory is bounded, because the total is limited.
type quota struct {
	mu       sync.Mutex
	dayStart time.Time
	total    int
	counts   map[string]int // by network
}

// limit is the maximum number of accepted requests in a day. 0: no limit.
type limit struct {
	total      int
	perNetwork int
}

// check returns an error if a further request from address would exceed a limit. For an unknown address, only the total
// is limited.
func (q *quota) check(now time.Time, address string, l limit) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.startDay(now)
	if l.total > 0 && q.total >= l.total {
		return errDailyLimit
	}
	for network, allowed := range networkLimits(address, l.perNetwork) {
		if allowed > 0 && q.counts[network] >= allowed {
			return errNetworkLimit
		}
	}
	return nil
}

// count counts an accepted request.
func (q *quota) count(now time.Time, address string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.startDay(now)
	q.total++
	for _, network := range web.Networks(address) {
		q.counts[network.String()]++
	}
}

// startDay resets the counts if a day has passed since the first request, or if the clock was set back.
func (q *quota) startDay(now time.Time) {
	age := now.Sub(q.dayStart)
	clockSetBack := age < 0
	if age >= 24*time.Hour || clockSetBack {
		q.dayStart = now
		q.total = 0
		q.counts = map[string]int{}
	}
}

// networkLimits returns the limit of each network that contains the address.
func networkLimits(address string, perNetwork int) map[string]int {
	limits := map[string]int{}
	for i, network := range web.Networks(address) {
		limits[network.String()] = perNetwork
		if i > 0 { // the /48 follows the /64
			limits[network.String()] = perNetwork * siteFactor
		}
	}
	return limits
}
