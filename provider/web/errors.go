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

// Fault is an answer that is a page, because it cannot or must not go to an application. Its texts are read by people; Err goes to
// the log only.
type Fault struct {
	Status int    // default 400
	What   string // what is wrong, naming the fault; empty: the sentence that goes with Status
	Do     string // what to do about it; empty likewise
	Link   string // where to go on, with LinkText
	Text   string
	Wait   time.Duration // with 429 and 503
	Err    error
}

// FaultOf turns an error of the store or of a handle into a fault. What is not known becomes 500 and says nothing.
func FaultOf(err error) Fault {
	var repeated RepeatedError
	switch {
	case errors.As(err, &repeated):
		return Fault{Status: http.StatusBadRequest, What: "The request cannot be read: " + repeated.Error() + "."}
	case errors.Is(err, ErrHandle):
		return Fault{Status: http.StatusBadRequest, What: "This page is out of date, or it was opened in another browser.", Do: "Go back to the application and start again."}
	case errors.Is(err, ErrHandleSize), errors.Is(err, ErrFormSize):
		return Fault{Status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, ErrForm):
		return Fault{Status: http.StatusBadRequest, What: "The request is not a well-formed query or form."}
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		return Fault{Status: http.StatusServiceUnavailable, Wait: 5 * time.Second, Err: err}
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrExists):
		return Fault{Status: http.StatusConflict}
	case errors.Is(err, storage.ErrSpent):
		return Fault{Status: http.StatusGone}
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrEnded):
		return Fault{Status: http.StatusNotFound}
	}
	return Fault{Status: http.StatusInternalServerError, Err: err}
}

// Page is the common part of every page.
func (s *Site) Page(r *http.Request) templates.Page {
	return templates.Page{Base: s.base(), RequestID: RequestID(r.Context()), Now: s.Now()}
}

// Error answers with the error page. An error of ours is logged here, once.
func (s *Site) Error(w http.ResponseWriter, r *http.Request, f Fault) {
	if f.Status == 0 {
		f.Status = http.StatusBadRequest
	}
	if f.Err != nil {
		s.Logger().LogAttrs(r.Context(), Level(r), "request failed", slog.Int("status", f.Status), slog.Any("err", f.Err))
	}
	PageHeaders(w, PagePolicy{FormSelf: true})
	if f.Wait > 0 {
		w.Header().Set("Retry-After", RetryAfter(f.Wait))
	}
	w.WriteHeader(f.Status)
	page := templates.ErrorPage{Page: s.Page(r), Status: f.Status, Description: f.What, Advice: f.Do, Wait: f.Wait, LinkURL: f.Link, LinkText: f.Text}
	s.Render(r, templates.Error(w, page))
}

// RetryAfter is the header of that name: whole seconds, rounded up.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// Level is that of an error of ours: not one that somebody should look at, if the browser has gone and taken its request along.
func Level(r *http.Request) slog.Level {
	if r.Context().Err() != nil {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// Render notes that a page could not be written to the end: the browser is gone, or a template is wrong.
func (s *Site) Render(r *http.Request, err error) {
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

// OAuthOf turns any error into one an application may be told: an unknown one becomes server_error without a word.
func OAuthOf(err error) OAuthError {
	var known OAuthError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrUnavailable):
		return OAuthError{Code: "temporarily_unavailable", Description: "try again in a few seconds", Err: err}
	case errors.Is(err, storage.ErrEnded), errors.Is(err, storage.ErrNotFound):
		return OAuthError{Code: "login_required", Description: "the session has ended", Err: nil}
	}
	return OAuthError{Code: "server_error", Err: err}
}
