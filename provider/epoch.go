package provider

import (
	"context"
	"fmt"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// BeginEpoch prepares a store that lost its latest transactions, because it was restored from a backup. The store does
// not know what was ended in them, so everything that it has ends: sessions and grants, codes, pages left open, links
// and consents. Signing keys are new. The clients' notifications wait in the outbox. detail goes into the audit line.
// After an error the caller calls it again, before the store is served.
func (p *Provider) BeginEpoch(ctx context.Context, by string, detail map[string]string) (logout.Result, error) {
	c := p.config
	at := c.Now()
	restored := storage.Event{
		At:     at,
		Kind:   "store.restored",
		Reason: storage.ReasonRestore,
		By:     by,
		Detail: detail,
	}
	if err := c.Store.BeginEpoch(ctx, at, restored); err != nil {
		return logout.Result{}, err
	}
	if err := c.Ring.Renew(ctx, at, by); err != nil {
		return logout.Result{}, fmt.Errorf("renew the keys: %w", err)
	}
	return p.terminator.End(ctx, storage.EndRequest{
		Selector: storage.Selector{AllUsers: true, IncludeOffline: true},
		Cause:    storage.Cause{Reason: storage.ReasonRestore, By: by},
	})
}
