package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// maxLoggedBytes is the maximum length of a logged text from a request.
const maxLoggedBytes = 200

// refusedMessage is the message of the log line of a refusal. RefusalLog reads these lines.
const refusedMessage = "request refused"

// Refusal describes a refused or failed request for the log.
type Refusal struct {
	Status  int    // 0: the response is a redirect
	Code    string // OAuth error code; may be empty
	Reason  string // what is wrong
	Subject Subject
	Err     error // the cause, if Curfew failed; nil for a refusal
}

// LogRefusal writes one line: at level INFO for a refusal, at [ErrorLevel] for a failure.
func LogRefusal(ctx context.Context, log *slog.Logger, refusal Refusal) {
	message := refusedMessage
	level := slog.LevelInfo
	if refusal.Err != nil {
		message = "request failed"
		level = ErrorLevel(ctx)
	}
	var attrs []slog.Attr
	for _, a := range []struct{ name, text string }{
		{"reason", refusal.Reason},
		{"code", refusal.Code},
		{"client", refusal.Subject.Client},
		{"param", refusal.Subject.Param},
		{"value", refusal.Subject.Value},
	} {
		if a.text != "" {
			attrs = append(attrs, slog.String(a.name, Loggable(a.text)))
		}
	}
	if refusal.Status != 0 {
		attrs = append(attrs, slog.Int("status", refusal.Status))
	}
	if refusal.Err != nil {
		attrs = append(attrs, slog.Any("err", refusal.Err))
	}
	log.LogAttrs(ctx, level, message, attrs...)
}

// refusal describes the error for the log.
func (e OAuthError) refusal() Refusal {
	reason := e.Reason
	if reason == "" {
		reason = e.Description
	}
	refusal := Refusal{Status: e.Status, Code: e.Code, Reason: reason, Subject: e.Subject}
	if e.isFailure() {
		refusal.Err = e.Err
	} else if e.Err != nil {
		refusal.Reason += ": " + e.Err.Error()
	}
	return refusal
}

// isFailure reports whether Curfew, not the client, caused the error.
func (e OAuthError) isFailure() bool {
	isServerError := e.Status >= http.StatusInternalServerError ||
		e.Code == "server_error" ||
		e.Code == "temporarily_unavailable"
	return e.Err != nil && isServerError
}

// Log logs the error.
func (e OAuthError) Log(ctx context.Context, log *slog.Logger) { LogRefusal(ctx, log, e.refusal()) }

// ErrorLevel returns the level at which a failure is logged: ERROR, or INFO if the request was cancelled because its
// caller closed the connection.
func ErrorLevel(ctx context.Context) slog.Level {
	if ctx.Err() != nil {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// LoggableURI shortens a URI from a request for the log: it removes the user name, the query and the fragment, and
// keeps at most 200 bytes.
func LoggableURI(raw string) string {
	text, _, hasFragment := strings.Cut(raw, "#")
	text, _, hasQuery := strings.Cut(text, "?")
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		authority, path, _ := strings.Cut(rest, "/")
		if i := strings.LastIndex(authority, "@"); i >= 0 {
			text = scheme + "://…@" + authority[i+1:] + "/" + path
		}
	}
	text = Loggable(text)
	if hasQuery {
		text += "?…"
	}
	if hasFragment {
		text += "#…"
	}
	return text
}

// URIHost returns the host of a URI for display on a page, or "" if it has none or if the host is too long.
func URIHost(raw string) string {
	const maxHost = 100
	u, err := url.Parse(raw)
	if err != nil || len(u.Host) > maxHost {
		return ""
	}
	return u.Host
}

// Loggable returns at most 200 bytes of a text from a request.
func Loggable(text string) string {
	if len(text) <= maxLoggedBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxLoggedBytes], "") + "…"
}
