package provider

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// auditRetention removes lines of the audit trail that are older than audit.retention. The store signs each removal, so
// that `audit verify` finds lines that were removed otherwise.
type auditRetention struct {
	events storage.Events
	keep   time.Duration
	now    func() time.Time
	log    *slog.Logger
}

const (
	retentionInterval = time.Hour
	// retentionBatch is how many lines one transaction removes. It is short, so that sign-ins do not wait for it.
	retentionBatch = 500
	// retentionPause separates two batches.
	retentionPause = 50 * time.Millisecond
)

// Run removes old lines at the start and then at each interval, until ctx ends. After an error the next interval tries
// again.
func (r *auditRetention) Run(ctx context.Context) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		if err := r.removeOld(ctx); err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "old audit lines not removed; the next hour tries again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// removeOld removes the lines that are too old now, and logs the signed removal.
func (r *auditRetention) removeOld(ctx context.Context) error {
	now := r.now()
	total := 0
	for {
		removed, err := r.events.RemoveEvents(ctx, now.Add(-r.keep), now, retentionBatch)
		if err != nil {
			return fmt.Errorf("remove audit lines: %w", err)
		}
		total += removed
		if removed < retentionBatch {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retentionPause):
		}
	}
	if total == 0 {
		return nil
	}
	removal, err := r.events.EventRemoval(ctx)
	if err != nil {
		return fmt.Errorf("read the removal of audit lines: %w", err)
	}
	r.log.InfoContext(ctx, "old audit lines removed", "lines", total, "removal", removal)
	return nil
}
