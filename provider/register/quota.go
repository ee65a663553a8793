package register

import (
	"sync"
	"time"

	"github.com/curfew-id/curfew/provider/web"
)

// sitesPerNetwork is how many times the limit of one network a site has: an IPv6 /48 holds many /64.
const sitesPerNetwork = 4

// quota counts what was accepted in a day, in all and from each network. It begins anew with the process. Its memory is
// bounded, because each entry stands for an accepted request and those are limited in all.
type quota struct {
	mu       sync.Mutex
	dayStart time.Time
	total    int
	counts   map[string]int // by network
}

// limit is how much of a quota there is in a day; 0: no limit.
type limit struct {
	total      int
	perNetwork int
}

// check returns an error if a request from address is one too many. An unknown address has no limit of its own.
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
	for network := range networkLimits(address, 0) {
		q.counts[network]++
	}
}

// startDay starts over if a day has passed since the first request, or if the clock was set back.
func (q *quota) startDay(now time.Time) {
	if age := now.Sub(q.dayStart); age >= 24*time.Hour || age < 0 {
		q.dayStart, q.total, q.counts = now, 0, map[string]int{}
	}
}

// networkLimits returns the networks that an address belongs to, with the limit of each.
func networkLimits(address string, perNetwork int) map[string]int {
	limits := map[string]int{}
	for i, network := range web.Networks(address) {
		limits[network.String()] = perNetwork
		if i > 0 {
			limits[network.String()] = perNetwork * sitesPerNetwork
		}
	}
	return limits
}
