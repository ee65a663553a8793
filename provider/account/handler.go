// Package account serves a person's own pages: where they are signed in, what applications may do, password and e-mail address, and what
// happened. Every form carries a handle bound to this browser and this session. What ends here ends through logout.Ender.
package account

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/signout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Store is what the account pages ask of the store.
type Store interface {
	storage.Users
	storage.Sessions
	storage.Consents
	storage.Reports
	storage.Events
	storage.Links
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
}

// Ender ends sessions (logout.Ender).
type Ender interface {
	End(ctx context.Context, sel storage.Selector, cause storage.Cause, change storage.Change) (logout.Outcome, error)
}

// Hasher hashes and checks passwords (provider/password).
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, stored, password string) (ok, rehash bool, err error)
}

// Limiter limits attempts at the current password (provider/password).
type Limiter interface {
	Allow(ctx context.Context, at time.Time, account, address string, knownDevice bool) error
	Succeed(ctx context.Context, account, address string, knownDevice bool) error
}

// Handler serves /account… and /reset/….
type Handler struct {
	Site      *web.Site
	Store     Store
	Ender     Ender
	Hasher    Hasher
	Limiter   Limiter
	Rules     password.Rules
	Lifetimes logout.Lifetimes
	EndsAll   bool // a change of password or e-mail ends this session too by default

	SignIn func(w http.ResponseWriter, r *http.Request, path string) // has the browser sign in and come back to path
	// Leave ends this browser's session among others and answers with the signed-out page.
	Leave func(w http.ResponseWriter, r *http.Request, s *storage.Session, extent templates.Extent, sel storage.Selector, cause storage.Cause, change storage.Change)
	// SignReport makes the report a signed JWT.
	SignReport func(ctx context.Context, report storage.Report, at time.Time) (string, error)
}

const (
	purpose  = "account"
	pageLife = time.Hour
)

// person is who is looking at a page, and through which session.
type person struct {
	session storage.Session
	user    storage.User
}

// enter finds out who is here; whoever is not signed in does that first and comes back.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) (person, bool) {
	session, ok, err := h.Site.Session(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return person{}, false
	}
	if !ok {
		back := "/account"
		if r.Method == http.MethodGet {
			back = r.URL.EscapedPath()
		}
		h.SignIn(w, r, back)
		return person{}, false
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return person{}, false
	}
	return person{session, user}, true
}

// submitted is enter for a form: its handle has to be of this browser and this session.
func (h *Handler) submitted(w http.ResponseWriter, r *http.Request) (who person, form url.Values, ok bool) {
	who, ok = h.enter(w, r)
	if !ok {
		return who, nil, false
	}
	values, err := web.Params(r, "session") // ticked boxes share one name
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return who, nil, false
	}
	var session storage.SessionID
	if _, err := h.Site.OpenHandle(r, purpose, values.Get("handle"), &session); err != nil || session != who.session.ID {
		f := web.FaultOf(web.ErrHandle)
		f.Do, f.Link, f.Text = "Nothing was changed. Open it again.", h.Site.Path("/account"), "Your account"
		h.Site.Error(w, r, f)
		return who, nil, false
	}
	return who, values, true
}

// shell is what all account pages share.
func (h *Handler) shell(w http.ResponseWriter, r *http.Request, who person) (templates.AccountPage, error) {
	handle, err := h.Site.Handle(w, r, purpose, who.session.ID, pageLife)
	if err != nil {
		return templates.AccountPage{}, err
	}
	a := templates.AccountPage{Page: h.Site.Page(r), Handle: handle, SessionsURL: h.Site.Path("/account"), ApplicationsURL: h.Site.Path("/account/applications"),
		SecurityURL: h.Site.Path("/account/security"), ActivityURL: h.Site.Path("/account/activity"), SignOutURL: h.Site.Path("/end_session")}
	a.Account = who.user.Name
	if who.user.Email != "" {
		a.Account = who.user.Email
	}
	a.ProbeURL = h.Site.Path("/account/probe")
	a.EndedURL = h.Site.Path("/account")
	done := r.URL.Query().Get("done")
	if a.Notice = notices[done]; done != "nothing" && done != "same-email" {
		a.NoticeURL, a.NoticeLink = a.ActivityURL, "See what happened"
	}
	return a, nil
}

// notices are what was just done, in words.
var notices = map[string]string{
	"signed-out": "Signed out there.",
	"nothing":    "Nothing was chosen, so nothing was ended.",
	"over":       "That was over already, so nothing was ended.",
	"left":       "That application's share has ended.",
	"offline":    "Its offline access has ended.",
	"withdrawn":  "What you allowed the application has ended.",
	"password":   "Your password was changed.",
	"same-email": "That is your e-mail address already.",
	"email":      "Your e-mail address was changed.",
	"not-me":     "That session has ended. Change your password now, since somebody else may know it.",
}

// Probe is GET /account/probe: 204 while the session lives, 401 after. Asking is no activity of the person.
func (h *Handler) Probe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch _, ok, err := h.Site.Session(r); {
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !ok:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// cause is an ending by the person.
func (h *Handler) cause(r *http.Request, who person, reason storage.Reason) storage.Cause {
	return storage.Cause{Reason: reason, By: "user:" + who.user.Subject, Address: h.Site.Address(r)}
}

// done sends the browser back to a page with a word on what was done.
func (h *Handler) done(w http.ResponseWriter, path, what string) {
	web.Redirect(w, h.Site.Path(path+"?done="+what))
}

// sessions are all of the person's, this one first, then the latest used.
func (h *Handler) sessions(ctx context.Context, who person) ([]storage.Session, error) {
	all, err := signout.AllSessions(ctx, h.Store, who.user.Subject, h.Site.Now())
	slices.SortFunc(all, func(a, b storage.Session) int {
		switch {
		case a.ID == who.session.ID:
			return -1
		case b.ID == who.session.ID:
			return 1
		}
		return b.LastActive.Compare(a.LastActive)
	})
	return all, err
}

// applications finds clients as pages show them, each once. One that is gone is known by its id.
func (h *Handler) applications(ctx context.Context) func(id string) *templates.Application {
	known := map[string]*templates.Application{}
	return func(id string) *templates.Application {
		if known[id] == nil {
			c, err := h.Store.Client(ctx, id)
			if err != nil {
				c = &storage.Client{Metadata: storage.Metadata{ClientID: id}}
			}
			known[id] = h.Site.Application(c, "")
		}
		return known[id]
	}
}

// names finds clients' names.
func (h *Handler) names(ctx context.Context) func(id string) string {
	find := h.applications(ctx)
	return func(id string) string { return find(id).Name }
}
