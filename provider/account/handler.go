// Package account serves a user's own pages: where they are signed in, what clients may do, password and e-mail
// address, and what happened. Every form carries a handle bound to this browser and this session. What ends here ends
// through logout.Ender.
package account

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
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
	storage.OneTimeLinks
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
}

// PasswordHasher hashes new passwords (provider/password).
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (string, error)
}

// Handler serves /account… and /reset/….
type Handler struct {
	Site          *web.Site
	Store         Store
	Terminator    *logout.Terminator
	Hasher        PasswordHasher
	Limiter       authn.Limiter
	Authenticator authn.Authenticator // proves the user again before a password or an e-mail address changes
	Rules         password.Rules
	Lifetimes     logout.Lifetimes
	Policy        policy.Logout

	RedirectToSignIn func(w http.ResponseWriter, r *http.Request, path string) error // has the browser sign in and come back to path
	LogoutView       *logoutview.Handler                                             // ends this browser's session and answers with the signed-out page
	// SignReport makes the report a signed JWT.
	SignReport func(ctx context.Context, report storage.Report, at time.Time) (string, error)
}

const (
	purposeAccount = "account"
	formLifetime   = time.Hour
)

// viewer is who is looking at a page, and through which session.
type viewer struct {
	session storage.Session
	user    storage.User
}

// requireViewer finds the user who looks at the page. Where ok is false, the answer is err or, if that is nil, a
// redirect to the sign-in page, which has been written.
func (h *Handler) requireViewer(w http.ResponseWriter, r *http.Request) (viewer, bool, error) {
	session, ok, err := h.Site.Session(r)
	if err != nil {
		return viewer{}, false, err
	}
	if !ok {
		returnPath := "/account"
		if r.Method == http.MethodGet {
			returnPath = r.URL.EscapedPath()
		}
		return viewer{}, false, h.RedirectToSignIn(w, r, returnPath)
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if err != nil {
		return viewer{}, false, err
	}
	return viewer{session, user}, true, nil
}

// requireForm is requireViewer for a form, whose interaction must be of this browser and this session.
func (h *Handler) requireForm(w http.ResponseWriter, r *http.Request) (v viewer, form url.Values, ok bool, err error) {
	v, ok, err = h.requireViewer(w, r)
	if !ok {
		return v, nil, false, err
	}
	values, err := web.Params(r)
	if err != nil {
		return v, nil, false, err
	}
	var session storage.SessionID
	if _, err := h.Site.OpenInteraction(r, purposeAccount, values.Get("interaction"), &session); err != nil ||
		session != v.session.ID {
		return v, nil, false, web.PageError{
			Text:    templates.ErrorAccountPageExpired,
			LinkURL: h.Site.Path("/account"),
			Link:    templates.LinkAccount,
		}
	}
	return v, values, true, nil
}

// accountPage is what all account pages share.
func (h *Handler) accountPage(w http.ResponseWriter, r *http.Request, v viewer) (templates.AccountPage, error) {
	interactionID, err := h.Site.SealInteraction(w, r, purposeAccount, v.session.ID, formLifetime)
	if err != nil {
		return templates.AccountPage{}, err
	}
	page := templates.AccountPage{
		Page:            h.Site.Page(r),
		Interaction:     interactionID,
		SessionsURL:     h.Site.Path("/account"),
		ApplicationsURL: h.Site.Path("/account/applications"),
		SecurityURL: h.Site.Path(
			"/account/security",
		),
		ActivityURL: h.Site.Path("/account/activity"),
		SignOutURL:  h.Site.Path("/end_session"),
	}
	page.Account = v.user.Name
	if v.user.Email != "" {
		page.Account = v.user.Email
	}
	page.ProbeURL = h.Site.Path("/account/probe")
	page.EndedURL = h.Site.Path("/account")
	page.Notice = templates.Notice(r.URL.Query().Get("done"))
	if page.Notice != templates.NoticeNothing && page.Notice != templates.NoticeSameEmail {
		page.NoticeURL = page.ActivityURL
	}
	return page, nil
}

// Probe is GET /account/probe: 204 while the session lives, 401 after. Asking is no activity of the user.
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

// cause is an ending by the user.
func (h *Handler) cause(r *http.Request, v viewer, reason storage.Reason) storage.Cause {
	return storage.Cause{Reason: reason, By: "user:" + v.user.Subject, Address: h.Site.ClientAddress(r)}
}

// redirectWithNotice sends the browser back to a page with a word on what was done.
func (h *Handler) redirectWithNotice(w http.ResponseWriter, path string, notice templates.Notice) {
	web.Redirect(w, h.Site.Path(path+"?done="+string(notice)))
}

// sessions are all of the user's, this one first, then the latest used.
func (h *Handler) sessions(ctx context.Context, v viewer) ([]storage.Session, error) {
	sessions, err := logoutview.AllSessions(ctx, h.Store, v.user.Subject, h.Site.Now())
	slices.SortFunc(sessions, func(a, b storage.Session) int {
		switch {
		case a.ID == v.session.ID:
			return -1
		case b.ID == v.session.ID:
			return 1
		}
		return b.LastActive.Compare(a.LastActive)
	})
	return sessions, err
}

// apps finds clients as pages show them, each once. One that is gone is known by its id.
func (h *Handler) apps(ctx context.Context) func(id string) *templates.App {
	apps := map[string]*templates.App{}
	return func(id string) *templates.App {
		if apps[id] == nil {
			c, err := h.Store.Client(ctx, id)
			if err != nil {
				c = &storage.Client{Metadata: storage.Metadata{ClientID: id}}
			}
			apps[id] = h.Site.App(c, "")
		}
		return apps[id]
	}
}

// appNames finds clients' names.
func (h *Handler) appNames(ctx context.Context) func(id string) string {
	find := h.apps(ctx)
	return func(id string) string { return find(id).Name }
}
