package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// hostHealthRefresh is how often an unchanged HostHealth is written again, so that the store does not remove it.
const hostHealthRefresh = 24 * time.Hour

// hostRecorder decides when the health of a host has to be stored, so that the next process knows which hosts are
// quick. Only the goroutine that records outcomes uses it.
type hostRecorder struct {
	recorded map[string]storage.HostHealth // by HostHealth.Host, as the store has them
}

func newHostRecorder(known []storage.HostHealth) *hostRecorder {
	r := &hostRecorder{recorded: map[string]storage.HostHealth{}}
	for _, health := range known {
		r.recorded[health.Host] = health
	}
	return r
}

// change returns the health of a host after an attempt; nil if the store need not change it.
func (r *hostRecorder) change(o *attemptOutcome, now time.Time) *storage.HostHealth {
	if o.notSent {
		return nil
	}
	health := storage.HostHealth{Host: o.delivery.Host, Slow: o.duration >= slowThreshold, At: now}
	old, isRecorded := r.recorded[health.Host]
	isRecent := now.Sub(old.At) < hostHealthRefresh
	if isRecorded && isRecent && old.Slow == health.Slow {
		return nil
	}
	if len(r.recorded) >= maxHosts {
		clear(r.recorded)
	}
	r.recorded[health.Host] = health
	return &health
}
