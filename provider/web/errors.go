package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PageError is an answer that is a page, because it cannot or must not go to an application. Its texts are read by people; Err goes to
// the log only.
type PageError struct {
	Status     int    // default 400
	Message    string // what is wrong, naming the fault; empty: the sentence that goes with Status
	Advice     string // what to do about it; empty likewise
	LinkURL    string // where to go on, with LinkText
	LinkText   string
	RetryAfter time.Duration // with 429 and 503
	Err        error
}

// PageErrorFrom turns an error of the store or of a handle into a fault. What is not known becomes 500 and says nothing.
func PageErrorFrom(err error) PageError {
	var repeated RepeatedParamError
	switch {
	case errors.As(err, &repeated):
		return PageError{Status: http.StatusBadRequest, Message: "The request cannot be read: " + repeated.Error() + "."}
	case errors.Is(err, ErrInteraction):
		return PageError{Status: http.StatusBadRequest, Message: "This page is out of date, or it was opened in another browser.", Advice: "Go back to the application and start again."}
	case errors.Is(err, ErrInteractionSize), errors.Is(err, ErrFormSize):
		return PageError{Status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, ErrForm):
		return PageError{Status: http.StatusBadRequest, Message: "The request is not a well-formed query or form."}
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		return PageError{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Err: err}
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrExists):
		return PageError{Status: http.StatusConflict}
	case errors.Is(err, storage.ErrAlreadyUsed):
		return PageError{Status: http.StatusGone}
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked):
		return PageError{Status: http.StatusNotFound}
	}
	return PageError{Status: http.StatusInternalServerError, Err: err}
}

// Page is the common part of every page.
func (s *Site) Page(r *http.Request) templates.Page {
	return templates.Page{Base: s.issuerPath(), RequestID: RequestID(r.Context()), Now: s.Now()}
}

// RenderError answers with the error page. An error of ours is logged here, once.
func (s *Site) RenderError(w http.ResponseWriter, r *http.Request, f PageError) {
	if f.Status == 0 {
		f.Status = http.StatusBadRequest
	}
	if f.Err != nil {
		s.Logger().LogAttrs(r.Context(), ErrorLevel(r), "request failed", slog.Int("status", f.Status), slog.Any("err", f.Err))
	}
	PageHeaders(w, PagePolicy{FormsToSelf: true})
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", RetryAfter(f.RetryAfter))
	}
	w.WriteHeader(f.Status)
	page := templates.ErrorPage{Page: s.Page(r), Status: f.Status, Description: f.Message, Advice: f.Advice, RetryAfter: f.RetryAfter, LinkURL: f.LinkURL, LinkText: f.LinkText}
	s.LogRenderError(r, templates.Error(w, page))
}

// RetryAfter is the header of that name: whole seconds, rounded up.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// ErrorLevel is that of an error of ours: not one that somebody should look at, if the browser has gone and taken its request along.
func ErrorLevel(r *http.Request) slog.Level {
	if r.Context().Err() != nil {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// LogRenderError notes that a page could not be written to the end: the browser is gone, or a template is wrong.
func (s *Site) LogRenderError(r *http.Request, err error) {
	if err != nil {
		s.Logger().WarnContext(r.Context(), "page not written", "err", err)
	}
}

// OAuthError is an error that an application is told (RFC 6749 §4.1.2.1, Core §3.1.2.6). Its description says what is wrong and
// what to do and holds nothing internal.
type OAuthError struct {
	Code        string
	Description string
	Err         error // for the log
}

func (e OAuthError) Error() string { return e.Code + ": " + e.Description }

// Unwrap is the cause.
func (e OAuthError) Unwrap() error { return e.Err }

// OAuthErrorFrom turns any error into one an application may be told: an unknown one becomes server_error without a word.
func OAuthErrorFrom(err error) OAuthError {
	var oauthErr OAuthError
	switch {
	case errors.As(err, &oauthErr):
		return oauthErr
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		return OAuthError{Code: "temporarily_unavailable", Description: "try again in a few seconds", Err: err}
	case errors.Is(err, storage.ErrRevoked), errors.Is(err, storage.ErrNotFound):
		return OAuthError{Code: "login_required", Description: "the session has ended", Err: nil}
	}
	return OAuthError{Code: "server_error", Err: err}
}
