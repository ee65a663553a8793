package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

const maxLoggedBytes = 200 // of a text that a request chose

// Refusal is what the log says about a request that was refused or failed.
type Refusal struct {
	Status  int    // 0: the answer is a redirect
	Code    string // OAuth error code, if the answer has one
	Reason  string // what is wrong
	Subject Subject
	Err     error // the cause of a failure of ours
}

// LogRefusal writes one line: at level INFO for a refusal, at level ERROR for a failure of ours (Err is set). A
// failure after the caller has gone stays at level INFO: its request was cancelled with it.
func LogRefusal(ctx context.Context, log *slog.Logger, f Refusal) {
	level, message := slog.LevelInfo, "request refused"
	if f.Err != nil {
		message = "request failed"
		level = ErrorLevel(ctx)
	}
	var attrs []slog.Attr
	for _, a := range []struct{ name, text string }{
		{"reason", f.Reason},
		{"code", f.Code},
		{"client", f.Subject.Client},
		{"param", f.Subject.Param},
		{"value", f.Subject.Value},
	} {
		if a.text != "" {
			attrs = append(attrs, slog.String(a.name, Loggable(a.text)))
		}
	}
	if f.Status != 0 {
		attrs = append(attrs, slog.Int("status", f.Status))
	}
	if f.Err != nil {
		attrs = append(attrs, slog.Any("err", f.Err))
	}
	log.LogAttrs(ctx, level, message, attrs...)
}

// refusal is what the log says about an error that goes to a client.
func (e OAuthError) refusal() Refusal {
	reason := e.Reason
	if reason == "" {
		reason = e.Description
	}
	f := Refusal{Status: e.Status, Code: e.Code, Reason: reason, Subject: e.Subject}
	if e.isFailure() {
		f.Err = e.Err
	} else if e.Err != nil {
		f.Reason += ": " + e.Err.Error()
	}
	return f
}

// isFailure reports whether the fault is ours and not the client's.
func (e OAuthError) isFailure() bool {
	return e.Err != nil &&
		(e.Status >= http.StatusInternalServerError || e.Code == "server_error" || e.Code == "temporarily_unavailable")
}

// Log writes the error's line.
func (e OAuthError) Log(ctx context.Context, log *slog.Logger) { LogRefusal(ctx, log, e.refusal()) }

// ErrorLevel is the level of a failure of ours: ERROR, but INFO where the caller has gone and its request was
// cancelled.
func ErrorLevel(ctx context.Context) slog.Level {
	if ctx.Err() != nil {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// LoggableURI is a URI of a request as the log may have it: without user name, query values and fragment, at most 200
// bytes.
func LoggableURI(raw string) string {
	text, hasFragment := raw, false
	text, _, hasFragment = strings.Cut(text, "#")
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

// URIHost is the host of a URI as a page may show it; empty if there is none.
func URIHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(u.Host) > 100 {
		return ""
	}
	return u.Host
}

// Loggable is a text that a request chose, at most 200 bytes of it.
func Loggable(text string) string {
	if len(text) <= maxLoggedBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxLoggedBytes], "") + "…"
}
