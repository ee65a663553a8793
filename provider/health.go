package provider

import (
	"net/http"
)

// healthz says that the process lives, nothing more: not ready must not mean killed.
func (p *Provider) healthz(w http.ResponseWriter, r *http.Request) {
	writePlainText(w, http.StatusOK, "ok\n")
}

// readyz says whether requests should come here: the store takes writes and we are not on our way out.
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
	w.Write([]byte(text)) // the caller is gone if this fails
}

// serveStatic writes bytes that are the same for every caller.
func serveStatic(contentType, cache string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", cache)
		w.Write(body) // the caller is gone if this fails
	}
}
