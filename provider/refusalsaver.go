package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// refusalSaver stores the last refusal of each client that an operator registered, so that a restart and other replicas
// do not hide why an app cannot sign its users in. Anyone can cause refusals, so they are stored together, with one
// commit in each interval at most, and clients that registered themselves have none in the store.
type refusalSaver struct {
	refusals *web.RefusalLog
	clients  storage.Clients
	log      *slog.Logger
}

const (
	refusalSaveInterval = 30 * time.Second
	refusalSaveTimeout  = 3 * time.Second
)

// Run stores refusals until ctx ends, and a last time then.
func (s *refusalSaver) Run(ctx context.Context) {
	ticker := time.NewTicker(refusalSaveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.save(ctx)
			return
		case <-ticker.C:
			s.save(ctx)
		}
	}
}

// save stores the refusals since the last call, even if ctx has ended. After an error they are only in the log.
func (s *refusalSaver) save(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalSaveTimeout) // ends soon when the server stops
	defer cancel()
	refusals := map[string]storage.ClientRefusal{}
	for id, refusal := range s.refusals.TakeUnsaved() {
		if c, err := s.clients.Client(ctx, id); err == nil && !c.Dynamic {
			refusals[id] = refusal
		}
	}
	if len(refusals) == 0 {
		return
	}
	if err := s.clients.PutRefusals(ctx, refusals); err != nil {
		s.log.ErrorContext(ctx, "last refusals of clients not stored", "err", err)
	}
}
