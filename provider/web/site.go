package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// SessionStore is what this package asks of the store.
type SessionStore interface {
	SessionBySecret(ctx context.Context, secret storage.Hash, at time.Time) (storage.Session, error)
}

// Sealer seals and opens small values, each kind under keys of its own (provider/keys).
type Sealer interface {
	Seal(kind string, value []byte) (string, error)
	Open(kind, text string) ([]byte, error)
}

// Site is what all pages share. Issuer, Sessions, Sealer and Now are needed.
type Site struct {
	Issuer         string // no trailing slash; every absolute URL starts with it
	Sessions       SessionStore
	Sealer         Sealer
	Now            func() time.Time
	TrustedProxies []netip.Prefix // whose X-Forwarded-For or Forwarded counts
	Log            *slog.Logger   // nil: the default logger

	HSTS         HSTS
	CheckSession bool // Session Management 1.0 is on: browsers get a state that its frame can read
	ShowLogos    bool // logos of clients are shown

	unreadableHop sync.Once // a client address that cannot be read is logged once
}

// URL is an absolute URL at this provider. It never depends on the request.
func (s *Site) URL(path string) string { return s.Issuer + path }

// Path is where path stands on this host: an issuer may have a path of its own.
func (s *Site) Path(path string) string { return s.issuerPath() + path }

// Secure reports whether browsers reach this provider by https.
func (s *Site) Secure() bool { return strings.HasPrefix(s.Issuer, "https://") }

// issuerPath is the path of the issuer, which has neither query nor fragment.
func (s *Site) issuerPath() string {
	_, rest, _ := strings.Cut(s.Issuer, "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix("/"+path, "/")
}

// Logger is the configured logger.
func (s *Site) Logger() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// Redirect answers with 303, so that a form's body is never sent on (RFC 9700 §4.12). target is set as it is:
// http.Redirect would rewrite it.
func Redirect(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// Origin is the origin of a URL as browsers write it (RFC 6454 §6.1); empty if it has none.
func Origin(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"https": ":443", "http": ":80"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return u.Scheme + "://" + host
}
