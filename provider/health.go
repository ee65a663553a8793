package provider

import (
	"net/http"
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
	if err := p.config.Store.Ready(r.Context()); err != nil {
		p.config.Log.ErrorContext(r.Context(), "store not ready", "err", err)
		writePlainText(w, http.StatusServiceUnavailable, "storage takes no writes\n")
		return
	}
	writePlainText(w, http.StatusOK, "ready\n")
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
