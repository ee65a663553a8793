package provider

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// healthz answers 200 as long as the process runs. It checks nothing else, so that no supervisor restarts a process
// that is only not ready.
func (p *Provider) healthz(w http.ResponseWriter, r *http.Request) {
	writePlainText(w, http.StatusOK, "ok\n")
}

// readyz answers 200 if the store accepts writes and the process is not shutting down, otherwise 503.
func (p *Provider) readyz(w http.ResponseWriter, r *http.Request) {
	if p.draining.Load() {
		writePlainText(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	if err := p.readiness.check(r.Context(), p.config.Store, p.config.Now()); err != nil {
		p.config.Log.ErrorContext(r.Context(), "store not ready", "err", err)
		writePlainText(w, http.StatusServiceUnavailable, "storage takes no writes\n")
		return
	}
	writePlainText(w, http.StatusOK, "ready\n")
}

// readinessInterval is how long the result of a readiness check holds.
const readinessInterval = 2 * time.Second

// readiness is the result of the latest readiness check. A check writes to the store, and anyone may ask for one: so
// all requests of an interval get the result of one check.
type readiness struct {
	mu        sync.Mutex
	checkedAt time.Time
	err       error
}

// check returns nil if the store accepts writes. It does not end with the request that happens to come first.
func (c *readiness) check(
	ctx context.Context,
	store interface {
		Ready(ctx context.Context) error
	},
	now time.Time,
) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.checkedAt); age < 0 || age >= readinessInterval {
		c.err = store.Ready(context.WithoutCancel(ctx))
		c.checkedAt = now
	}
	return c.err
}

func writePlainText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text)) // an error means that the client closed the connection
}

// serveStatic returns a handler that serves the same bytes to every caller. cache is the value of Cache-Control.
func serveStatic(contentType, cache string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", cache)
		w.Write(body) // an error means that the client closed the connection
	}
}
