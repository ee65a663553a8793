package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// hostHealthRefresh is how often an unchanged health is written again, so that the store does not forget it.
const hostHealthRefresh = 24 * time.Hour

// hostRecorder decides which outcomes carry a change of their host's health into the store, so that the next process
// knows which hosts are quick. Only the goroutine that records outcomes uses it.
type hostRecorder struct{ recorded map[string]storage.HostHealth }

func newHostRecorder(known []storage.HostHealth) *hostRecorder {
	r := &hostRecorder{recorded: map[string]storage.HostHealth{}}
	for _, health := range known {
		r.recorded[health.Host] = health
	}
	return r
}

// change returns the health that the attempt has shown; nil if the store has it already.
func (r *hostRecorder) change(o *attemptOutcome, now time.Time) *storage.HostHealth {
	if o.notSent {
		return nil
	}
	health := storage.HostHealth{Host: o.delivery.Host, Slow: o.duration >= slowThreshold, At: now}
	if old, ok := r.recorded[health.Host]; ok && old.Slow == health.Slow && now.Sub(old.At) < hostHealthRefresh {
		return nil
	}
	if len(r.recorded) >= maxHosts {
		clear(r.recorded)
	}
	r.recorded[health.Host] = health
	return &health
}
