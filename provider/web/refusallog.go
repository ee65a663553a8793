package web

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The bounds of a RefusalLog.
const (
	maxRefusalsPerClient = 20
	maxRefusedClients    = 500
)

// RefusalLog keeps the last refusals of each client in memory, for the operator who connects an app. It takes them
// from the log, so that it has every line of LogRefusal. The zero value can be used. It is safe for concurrent use.
type RefusalLog struct {
	// IsClient reports whether a client_id is registered. RefusalLog does not keep refusals of other client_ids, which
	// anyone can send. nil: it keeps none.
	IsClient func(ctx context.Context, id string) bool

	mu       sync.Mutex
	byClient map[string][]storage.ClientRefusal // the newest last
	unsaved  map[string]storage.ClientRefusal   // the last refusals since TakeUnsaved
}

// Of returns the last refusals of a client, newest first.
func (l *RefusalLog) Of(client string) []storage.ClientRefusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.byClient[client])
	slices.Reverse(list)
	return list
}

// TakeUnsaved returns the last refusal of each client that had one since the last call.
func (l *RefusalLog) TakeUnsaved() map[string]storage.ClientRefusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	unsaved := l.unsaved
	l.unsaved = nil
	return unsaved
}

// Handler returns a handler that keeps the refusals and passes every record on to next.
func (l *RefusalLog) Handler(next slog.Handler) slog.Handler { return refusalHandler{l, next} }

// refusalHandler is the slog.Handler of a RefusalLog.
type refusalHandler struct {
	log  *RefusalLog
	next slog.Handler
}

// Enabled returns true for the level of refusals too, even if next does not log at that level.
func (h refusalHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level == slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h refusalHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == refusedMessage {
		h.log.keep(ctx, r)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h refusalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return refusalHandler{h.log, h.next.WithAttrs(attrs)}
}

func (h refusalHandler) WithGroup(name string) slog.Handler {
	return refusalHandler{h.log, h.next.WithGroup(name)}
}

// keep adds the refusal in a log record, if its client is registered.
func (l *RefusalLog) keep(ctx context.Context, record slog.Record) {
	var client string
	refusal := storage.ClientRefusal{At: record.Time.UTC(), RequestID: RequestID(ctx)}
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "client":
			client = a.Value.String()
		case "reason":
			refusal.Reason = a.Value.String()
		case "code":
			refusal.Code = a.Value.String()
		case "param":
			refusal.Param = a.Value.String()
		case "value":
			refusal.Value = a.Value.String()
		}
		return true
	})
	if client == "" || l.IsClient == nil || !l.IsClient(ctx, client) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byClient == nil {
		l.byClient = map[string][]storage.ClientRefusal{}
	}
	_, isKnown := l.byClient[client]
	if !isKnown && len(l.byClient) >= maxRefusedClients {
		leastRecent := l.leastRecentClient()
		delete(l.byClient, leastRecent)
		delete(l.unsaved, leastRecent)
	}
	if l.unsaved == nil {
		l.unsaved = map[string]storage.ClientRefusal{}
	}
	l.unsaved[client] = refusal
	list := append(l.byClient[client], refusal)
	l.byClient[client] = list[max(0, len(list)-maxRefusalsPerClient):]
}

// leastRecentClient returns the client whose last refusal was the longest ago.
func (l *RefusalLog) leastRecentClient() (client string) {
	var earliest time.Time // the last refusal of client
	for id, list := range l.byClient {
		last := list[len(list)-1].At
		if client == "" || last.Before(earliest) {
			client = id
			earliest = last
		}
	}
	return client
}
