package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// StatusStore has the methods of the store that GET /status and GET /doctor call.
type StatusStore interface {
	Ready(ctx context.Context) error
	CountSessions(ctx context.Context) (int, error)
	CountDeliveries(ctx context.Context) (map[storage.DeliveryState]int, time.Time, error)
}

// Status is the state of the provider. GET /status answers 200 only if the store works.
type Status struct {
	Issuer        string                        `json:"issuer"`
	Version       string                        `json:"version"`
	Started       time.Time                     `json:"started"`
	Sessions      int                           `json:"sessions"` // stored sessions; some may have just expired
	Deliveries    map[storage.DeliveryState]int `json:"deliveries"`
	OldestPending time.Time                     `json:"oldest_pending,omitzero"` // when the oldest pending one began
	BulkLogouts   int                           `json:"bulk_logouts"`            // that are still running
	UnknownHosts  UnknownHosts                  `json:"unknown_hosts"`
}

// UnknownHosts is logout.UnknownHosts in the API.
type UnknownHosts struct {
	Waiting            int     `json:"waiting"`              // hosts whose first attempt has not ended
	Tried              int     `json:"tried"`                // hosts with a first attempt since the start
	LongestWaitSeconds float64 `json:"longest_wait_seconds"` // of those first attempts, from when it was due
}

// showStatus reads and writes the store. It answers 503 if the disk is full or broken.
func (a *api) showStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	ctx := r.Context()
	if err := a.Store.Ready(ctx); err != nil {
		return err
	}
	hosts := a.Outbox.UnknownHosts()
	s := Status{
		Issuer:  a.Issuer,
		Version: a.Version,
		Started: a.Started,
		UnknownHosts: UnknownHosts{
			Waiting:            hosts.Waiting,
			Tried:              hosts.Tried,
			LongestWaitSeconds: hosts.LongestWait.Seconds(),
		},
	}
	var err error
	if s.Sessions, err = a.Store.CountSessions(ctx); err != nil {
		return err
	}
	if s.Deliveries, s.OldestPending, err = a.Store.CountDeliveries(ctx); err != nil {
		return err
	}
	bulkLogouts, err := a.Store.ListBulkLogouts(ctx)
	if err != nil {
		return err
	}
	for _, bulk := range bulkLogouts {
		if bulk.Finished.IsZero() {
			s.BulkLogouts++
		}
	}
	return writeJSON(w, http.StatusOK, s)
}
