package oauth

import "net/http"

// jwksCacheControl is how long clients may cache the keys. A new key is published for longer than this before it signs.
const jwksCacheControl = "public, max-age=3600"

// serveJWKS serves the public keys (RFC 7517 §5), which the Ring has already encoded.
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
	// An error means that the client closed the connection.
	_, _ = w.Write(body)
}
