package bolt

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ListHostHealth implements storage.Deliveries.
func (s *Store) ListHostHealth(ctx context.Context) ([]storage.HostHealth, error) {
	return read(ctx, s, func(t *tx) (list []storage.HostHealth, err error) {
		for _, v := range t.scanPrefix(hostHealth, nil) {
			if health, ok := decode[storage.HostHealth](t, hostHealth, v); ok {
				list = append(list, health)
			}
		}
		return list, nil
	})
}

// putHostHealth stores the health of a host. For a host that is already stored, its expiry is already scheduled.
func (t *tx) putHostHealth(health storage.HostHealth) {
	health.At = truncateToMillis(health.At)
	key := []byte(health.Host)
	if t.get(hostHealth, key) == nil {
		t.scheduleExpiry(health.At.Add(storage.HostHealthLifetime), expiryHostHealth, key)
	}
	t.store(hostHealth, key, health)
}

// sweepHostHealth removes the health of a host, unless a later attempt has renewed it.
func (t *tx) sweepHostHealth(key []byte, at time.Time) {
	health, ok := load[storage.HostHealth](t, hostHealth, key)
	if !ok {
		return
	}
	if expires := health.At.Add(storage.HostHealthLifetime); at.Before(expires) {
		t.reschedule(expires, expiryHostHealth, key)
		return
	}
	t.delete(hostHealth, key)
}
