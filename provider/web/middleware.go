package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

type requestIDKey struct{}

// RequestID is the random name of the request that ctx belongs to: it stands on error pages and in the log.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Wrap gives every request an ID, the headers of every answer, one log line, and an answer to a panic. It is directly
// around the routes, so that it sees which of them was taken.
func (s *Site) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		id := rand.Text()[:16]
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		s.baseHeaders(w)
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
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

// routePattern is the request's path as the routes name it: the path itself may hold a handle or a one-time link, the
// query hints and codes.
func routePattern(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, "/")
	if path == "" {
		const shown = 16
		return r.URL.Path[:min(len(r.URL.Path), shown)] // no route
	}
	return "/" + path
}

// LogAtDebug logs the requests that next answers at level DEBUG: those of static files and health checks, which say
// little and are many.
func LogAtDebug(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if rec, ok := w.(*recorder); ok {
			rec.level = slog.LevelDebug
		}
		next(w, r)
	}
}

// recorder remembers for the log what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	level  slog.Level
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

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

// libraryRefusal is what zitadel/oidc logs about every error that it renders. Package oauth logs the same with the
// client.
const libraryRefusal = "request error"

// Handle adds the request ID and passes the line on.
func (h LogHandler) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Message == libraryRefusal {
		return nil
	}
	if id := RequestID(ctx); id != "" {
		rec.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs keeps the request ID on derived loggers.
func (h LogHandler) WithAttrs(a []slog.Attr) slog.Handler { return LogHandler{h.Handler.WithAttrs(a)} }

// WithGroup keeps the request ID on derived loggers.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }

// SameOrigin refuses forms that another site submits (Sec-Fetch-Site, or Origin where a browser sends none). A proxy
// may send another Host than the browser did, so an Origin is ours if it is the issuer's.
func (s *Site) SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	_ = protection.AddTrustedOrigin(Origin(s.Issuer)) // refuses what is no origin; an issuer has one
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.renderError(w, r, PageError{Status: http.StatusForbidden})
	}))
	return protection.Handler(next)
}
