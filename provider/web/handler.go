package web

import (
	"log/slog"
	"net/http"

	"github.com/curfew-id/curfew/templates"
)

// Handler handles a browser's request. If it returns an error, it must not have written anything: the error page is the
// response.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Handle returns an http.Handler that calls h. It is the only place where an error becomes an error page.
func (s *Site) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.renderError(w, r, PageErrorFrom(err))
		}
	}
}

// renderError writes the error page and logs the reason.
func (s *Site) renderError(w http.ResponseWriter, r *http.Request, e PageError) {
	status := e.status()
	LogRefusal(r.Context(), s.Logger(), Refusal{
		Status:  status,
		Reason:  e.Error(),
		Subject: e.Subject,
		Err:     e.Err,
	})
	PageHeaders(w, PagePolicy{FormsToSelf: true})
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", RetryAfter(e.RetryAfter))
	}
	w.WriteHeader(status)
	page := templates.ErrorPage{
		OtherAccountURL: e.OtherAccountURL,

		Page:       s.Page(r),
		Status:     status,
		Text:       e.Text,
		Value:      e.Value,
		RetryAfter: e.RetryAfter,
		Contact:    e.Contact,
		LinkURL:    e.LinkURL,
		Link:       e.Link,
	}
	s.LogRenderError(r, templates.Error(w, page))
}

// Page returns the data that every page needs.
func (s *Site) Page(r *http.Request) templates.Page {
	lang := s.language(r)
	return templates.Page{
		Lang:      lang,
		Languages: s.languageLinks(r, lang),
		Base:      s.issuerPath(),
		RequestID: RequestID(r.Context()),
		Now:       s.Now(),
	}
}

// LogRenderError logs that a page was not written completely: the browser closed the connection, or a template failed.
func (s *Site) LogRenderError(r *http.Request, err error) {
	if err != nil {
		s.Logger().LogAttrs(r.Context(), slog.LevelWarn, "page not written", slog.Any("err", err))
	}
}
