package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// StatusStore is what the state of the provider is read from.
type StatusStore interface {
	Ready(ctx context.Context) error
	CountSessions(ctx context.Context) (int, error)
	CountDeliveries(ctx context.Context) (map[storage.DeliveryState]int, time.Time, error)
}

// Status is how the provider is. An answer of status 200 means that it is well.
type Status struct {
	Issuer        string                        `json:"issuer"`
	Version       string                        `json:"version"`
	Started       time.Time                     `json:"started"`
	Sessions      int                           `json:"sessions"` // stored, those about to expire included
	Deliveries    map[storage.DeliveryState]int `json:"deliveries"`
	OldestPending time.Time                     `json:"oldest_pending,omitzero"` // since when the oldest pending delivery waits
	BulkLogouts   int                           `json:"bulk_logouts"`            // bulk logouts that are running
}

// showStatus reads and writes the store, so that a full or broken disk shows: then the answer is 503.
func (a *api) showStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	ctx := r.Context()
	if err := a.Store.Ready(ctx); err != nil {
		return err
	}
	s := Status{Issuer: a.Issuer, Version: a.Version, Started: a.Started}
	var err error
	if s.Sessions, err = a.Store.CountSessions(ctx); err != nil {
		return err
	}
	if s.Deliveries, s.OldestPending, err = a.Store.CountDeliveries(ctx); err != nil {
		return err
	}
	endings, err := a.Store.ListBulkLogouts(ctx)
	if err != nil {
		return err
	}
	for _, e := range endings {
		if e.Finished.IsZero() {
			s.BulkLogouts++
		}
	}
	return writeJSON(w, http.StatusOK, s)
}
