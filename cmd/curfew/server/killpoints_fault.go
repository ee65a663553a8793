//go:build curfewfault

package server

import (
	"context"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// killpointStore kills the process before or after a call of the store, like kill -9. The file at CURFEW_FAULT_KILL has
// the point, such as "after RecordOutcomes". Without the file, the process is not killed. A point after a call is
// reached only if the call changed something.
type killpointStore struct{ Store }

// withFaults returns the store with its kill points.
func withFaults(s Store) Store { return killpointStore{s} }

// reach kills the process if the file names that point.
func reach(point string) {
	text, err := os.ReadFile(os.Getenv("CURFEW_FAULT_KILL"))
	if err == nil && strings.TrimSpace(string(text)) == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // cannot fail for the own process
		select {}
	}
}

// ClaimDeliveries implements storage.Deliveries. After it, the deliveries are leased and not yet sent.
func (s killpointStore) ClaimDeliveries(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	max int,
	newFilter func() storage.ClaimFilter,
) ([]storage.Delivery, error) {
	claimed, err := s.Store.ClaimDeliveries(ctx, at, lease, max, newFilter)
	if len(claimed) > 0 {
		reach("after ClaimDeliveries")
	}
	return claimed, err
}

// RecordOutcomes implements storage.Deliveries. Before it, the logout tokens are posted and the outcomes not recorded.
func (s killpointStore) RecordOutcomes(ctx context.Context, outcomes []storage.DeliveryOutcome) ([]string, error) {
	reach("before RecordOutcomes")
	stale, err := s.Store.RecordOutcomes(ctx, outcomes)
	reach("after RecordOutcomes")
	return stale, err
}

// EndSessions implements storage.Terminations. After it, a page of a bulk logout is on disk and more pages follow.
func (s killpointStore) EndSessions(
	ctx context.Context,
	req storage.EndRequest,
	at time.Time,
	limit int,
	plan func(storage.Termination) storage.Plan,
) ([]storage.Termination, bool, error) {
	terminations, more, err := s.Store.EndSessions(ctx, req, at, limit, plan)
	if more && req.Selector.AllUsers {
		reach("after a page of EndSessions")
	}
	return terminations, more, err
}

// Sweep implements storage.Store.
func (s killpointStore) Sweep(ctx context.Context, at time.Time, limit int) (int, error) {
	n, err := s.Store.Sweep(ctx, at, limit)
	if n > 0 {
		reach("after Sweep")
	}
	return n, err
}

// PutKeys implements storage.Keys. Before it, new keys exist in memory only; after it, they are stored and not in use.
func (s killpointStore) PutKeys(
	ctx context.Context,
	read, put []storage.Key,
	remove []string,
	e ...storage.Event,
) error {
	reach("before PutKeys")
	err := s.Store.PutKeys(ctx, read, put, remove, e...)
	reach("after PutKeys")
	return err
}
