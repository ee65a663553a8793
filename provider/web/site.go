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

// SessionStore is the part of storage.Store that this package uses.
type SessionStore interface {
	SessionBySecret(ctx context.Context, secret storage.Hash, at time.Time) (storage.Session, error)
}

// Sealer encrypts and authenticates small values, with a separate key for each kind (provider/keys).
type Sealer interface {
	Seal(kind string, value []byte) (string, error)
	Open(kind, text string) ([]byte, error)
}

// Site holds the settings and methods that all pages use. Issuer, Sessions, Sealer and Now are required.
type Site struct {
	Issuer         string // without a trailing slash; every absolute URL starts with it
	Sessions       SessionStore
	Sealer         Sealer
	Now            func() time.Time
	TrustedProxies []netip.Prefix // proxies whose X-Forwarded-For and Forwarded headers count
	Log            *slog.Logger   // nil: the default logger

	HSTS         HSTS
	CheckSession bool // switches on Session Management 1.0 with its browser-state cookie
	CrossSite    bool // browsers send the session cookie with requests of other sites, if the issuer is https
	ShowLogos    bool // pages show the logos of clients

	warnUnreadableHop sync.Once // limits the warning about unreadable client addresses to one
}

// URL returns the absolute URL of path at this provider. It does not depend on the request.
func (s *Site) URL(path string) string { return s.Issuer + path }

// Path returns the path of the issuer followed by path.
func (s *Site) Path(path string) string { return s.issuerPath() + path }

// Secure reports whether the issuer uses https.
func (s *Site) Secure() bool { return strings.HasPrefix(s.Issuer, "https://") }

// issuerPath returns the path of the issuer, without a trailing slash. An issuer has neither query nor fragment.
func (s *Site) issuerPath() string {
	_, rest, _ := strings.Cut(s.Issuer, "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix("/"+path, "/")
}

// Logger returns the configured logger or, without one, the default logger.
func (s *Site) Logger() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// Redirect redirects the browser to target with status 303, so that the browser does not send the body of a form to
// target (RFC 9700 §4.12). Unlike http.Redirect, it does not change target.
func Redirect(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// Origin returns the origin of a URL as browsers write it (RFC 6454 §6.1), or "" if the URL has no host.
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
