package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

type requestIDKey struct{}

// RequestID returns the random ID of the request that ctx belongs to. The ID appears on error pages and in the log.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestIDLength is the number of characters of a request ID.
const requestIDLength = 16

// Wrap gives every request an ID, a limit for all its waits for the store, the common headers, one log line, and an
// error page after a panic. It must wrap the mux directly, so that it can log the pattern of the matched route.
func (s *Site) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		id := rand.Text()[:requestIDLength]
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		r = r.WithContext(storage.WithWaitLimit(ctx, storage.RequestWait))
		s.baseHeaders(w)
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { // net/http expects this panic
					panic(v)
				}
				s.Logger().ErrorContext(r.Context(), "panic in a handler", "panic", v, "stack", string(debug.Stack()))
				if rec.status == 0 {
					s.renderError(rec, r, PageError{Status: http.StatusInternalServerError})
				}
			}
			tookMS := float64(s.Now().Sub(start).Round(time.Microsecond)) / float64(time.Millisecond)
			s.Logger().LogAttrs(r.Context(), rec.level, "request",
				slog.String("method", r.Method),
				slog.String("path", routePattern(r)),
				slog.Int("status", rec.status),
				slog.Float64("took_ms", tookMS))
		}()
		next.ServeHTTP(rec, r)
	})
}

// routePattern returns the path of the matched route for the log. The actual path may contain an interaction or a
// one-time link, which are secret. If no route matched, it returns the beginning of the path.
func routePattern(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, "/")
	if path == "" {
		const maxLoggedPath = 16
		return r.URL.Path[:min(len(r.URL.Path), maxLoggedPath)]
	}
	return "/" + path
}

// LogAtDebug logs the requests to next at level DEBUG. It is for static files and health checks, which are frequent.
func LogAtDebug(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if rec, ok := w.(*recorder); ok {
			rec.level = slog.LevelDebug
		}
		next(w, r)
	}
}

// recorder records the status of the response for the log line.
type recorder struct {
	http.ResponseWriter
	status int
	level  slog.Level
}

// WriteHeader records the first status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write records status 200 if no other status was set.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// LogHandler adds the request ID to every line of a request.
type LogHandler struct{ slog.Handler }

// libraryRefusal is the message that zitadel/oidc logs for every error that it renders. Handle drops it, because
// package oauth logs the same error together with the client.
const libraryRefusal = "request error"

// Handle adds the request ID and passes the record on.
func (h LogHandler) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Message == libraryRefusal {
		return nil
	}
	if id := RequestID(ctx); id != "" {
		rec.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs returns a LogHandler, so that derived loggers add the request ID too.
func (h LogHandler) WithAttrs(a []slog.Attr) slog.Handler { return LogHandler{h.Handler.WithAttrs(a)} }

// WithGroup returns a LogHandler, so that derived loggers add the request ID too.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }

// SameOrigin refuses forms that a page of another origin submits. It checks Sec-Fetch-Site or, if the browser does not
// send that header, Origin. It compares Origin with the issuer, because a proxy may change the Host header.
func (s *Site) SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	_ = protection.AddTrustedOrigin(Origin(s.Issuer)) // the issuer always has a valid origin
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.renderError(w, r, PageError{Status: http.StatusForbidden})
	}))
	return protection.Handler(next)
}
