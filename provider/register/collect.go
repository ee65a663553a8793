package register

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// collectInterval is the time between two searches for unused clients.
const collectInterval = 10 * time.Minute

// collectPage is the number of unused clients that are listed and removed at a time.
const collectPage = 100

// Run removes unused clients that registered themselves, until ctx is cancelled.
func (h *Handler) Run(ctx context.Context) {
	for {
		if err := h.CollectUnused(ctx); err != nil && ctx.Err() == nil {
			h.log().ErrorContext(ctx, "unused clients not removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(collectInterval):
		}
	}
}

// CollectUnused removes the clients that registered themselves and have not been used for too long. Each removal ends
// the client's grants and is recorded in the audit log.
func (h *Handler) CollectUnused(ctx context.Context) error {
	now := h.Registrar.Now()
	// A client that was never used is removed if it was created before createdBefore, any other client if its last use
	// was before usedBefore.
	var createdBefore, usedBefore time.Time // zero: no client is removed
	if h.Policy.NeverUsed > 0 {
		createdBefore = now.Add(-h.Policy.NeverUsed)
	}
	if h.Policy.Unused > 0 {
		// The recorded last use may be too early by UseInterval.
		usedBefore = now.Add(-h.Policy.Unused).Add(-storage.UseInterval)
	}
	for {
		ids, err := h.Store.UnusedClients(ctx, createdBefore, usedBefore, collectPage)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := h.removeUnused(ctx, id, now); err != nil {
				return err
			}
		}
	}
}

// removeUnused removes one client.
func (h *Handler) removeUnused(ctx context.Context, id string, now time.Time) error {
	cause := storage.Cause{ID: rand.Text(), Reason: storage.ReasonClientRemoved, By: "system", Client: id}
	event := storage.Event{
		At:     now,
		Kind:   "client.removed",
		Reason: cause.Reason,
		Cause:  cause.ID,
		By:     cause.By,
		Client: id,
		Detail: map[string]string{"why": "unused"},
	}
	_, err := h.Terminator.End(ctx, storage.EndRequest{
		Selector: storage.Selector{Client: id, IncludeOffline: true},
		Cause:    cause,
		Change:   storage.Change{RemoveClient: id, Events: []storage.Event{event}},
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // another request has removed it
	}
	return err
}
