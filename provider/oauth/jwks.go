package oauth

import "net/http"

// jwksCacheControl is how long relying parties may keep the keys: a new key is published for longer before it signs.
const jwksCacheControl = "public, max-age=3600"

// serveJWKS serves the published keys (RFC 7517 §5), as bytes that stand ready.
func (s *Server) serveJWKS(w http.ResponseWriter, r *http.Request) {
	body, etag := s.Ring.JWKS()
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.Set("Cache-Control", jwksCacheControl)
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	// The client may have disconnected; there is no way left to answer it.
	_, _ = w.Write(body)
}
