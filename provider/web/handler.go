package web

import (
	"log/slog"
	"net/http"

	"github.com/curfew-id/curfew/templates"
)

// Handler answers a browser. Where it returns an error it has written nothing: the error page is the answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Handle makes h an http.Handler: the one place where an error of a page becomes an answer.
func (s *Site) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.renderError(w, r, PageErrorFrom(err))
		}
	}
}

// renderError answers with the error page and logs the reason.
func (s *Site) renderError(w http.ResponseWriter, r *http.Request, e PageError) {
	status := e.status()
	LogRefusal(r.Context(), s.Logger(), Refusal{Status: status, Reason: e.Error(), Subject: e.Subject, Err: e.Err})
	PageHeaders(w, PagePolicy{FormsToSelf: true})
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", RetryAfter(e.RetryAfter))
	}
	w.WriteHeader(status)
	page := templates.ErrorPage{
		Page:       s.Page(r),
		Status:     status,
		Text:       e.Text,
		Value:      e.Value,
		RetryAfter: e.RetryAfter,
		LinkURL:    e.LinkURL,
		Link:       e.Link,
	}
	s.LogRenderError(r, templates.Error(w, page))
}

// Page is the common part of every page.
func (s *Site) Page(r *http.Request) templates.Page {
	return templates.Page{
		Lang:      templates.MatchLanguage(r.Header.Get("Accept-Language")),
		Base:      s.issuerPath(),
		RequestID: RequestID(r.Context()),
		Now:       s.Now(),
	}
}

// LogRenderError logs that a page could not be written to its end: the browser has gone, or a template is wrong.
func (s *Site) LogRenderError(r *http.Request, err error) {
	if err != nil {
		s.Logger().LogAttrs(r.Context(), slog.LevelWarn, "page not written", slog.Any("err", err))
	}
}
