// Package account serves the pages where a user manages their account: sessions, apps, password and e-mail address,
// and activity. Every form carries a sealed interaction, bound to this browser and this session. Every sign-out goes
// through logout.Terminator.
package account

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Store is the part of a store that the account pages use.
type Store interface {
	storage.Users
	storage.Sessions
	storage.Consents
	storage.Reports
	storage.Events
	storage.OneTimeLinks
	storage.FactorStore
	storage.Identities
	Sequence(ctx context.Context) (storage.Sequence, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
}

// PasswordHasher hashes new passwords (provider/password).
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (string, error)
}

// Handler serves /account… and /reset/….
type Handler struct {
	Site       *web.Site
	Store      Store
	Terminator *logout.Terminator
	Hasher     PasswordHasher
	Limiter    authn.Limiter
	// Authenticator authenticates the user again before a password or an e-mail address changes.
	Authenticator authn.Authenticator
	Rules         password.Rules
	Lifetimes     logout.Lifetimes
	Policy        policy.Logout
	Authn         policy.Authn
	ResetMails    *ResetMails   // nil: Curfew sends no mail
	Notices       *mail.Notices // nil: Curfew sends no mail
	SignUps       *SignUps      // nil: not everyone may sign up

	SessionLifetimes policy.Session
	TOTP             *authn.TOTP
	RecoveryCodes    *authn.RecoveryCodes
	APIScopes        storage.APIScopes
	Passkeys         *authn.Passkeys // nil: the issuer's host cannot have passkeys

	// RedirectToSignIn redirects to the sign-in page. After the sign-in, the browser goes to path.
	RedirectToSignIn func(w http.ResponseWriter, r *http.Request, path string) error
	// RedirectToSignInAgain does the same, but a user who is signed in must authenticate again.
	RedirectToSignInAgain func(w http.ResponseWriter, r *http.Request, path string) error
	// LinkUpstream sends the user of a session to an upstream, to link an account there. The browser comes back to path.
	LinkUpstream func(w http.ResponseWriter, r *http.Request, id, path string, session storage.Session) error
	Upstreams    upstream.Set
	// LogoutView ends this browser's session and answers with the signed-out page.
	LogoutView *logoutview.Handler
	// SignReport returns the report as a signed JWT.
	SignReport func(ctx context.Context, report storage.Report, at time.Time) (string, error)
}

const (
	purposeAccount = "account"
	formLifetime   = time.Hour
)

// viewer is the signed-in user of a request, with the session of the browser.
type viewer struct {
	session storage.Session
	user    storage.User
}

// requireViewer returns the signed-in user. If ok is false and err is nil, it has redirected to the sign-in page,
// because the user is not signed in or the authentication does not meet the policy.
func (h *Handler) requireViewer(w http.ResponseWriter, r *http.Request) (v viewer, ok bool, err error) {
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return viewer{}, false, err
	}
	var user storage.User
	if signedIn {
		if user, err = h.Store.User(r.Context(), session.Subject); err != nil {
			return viewer{}, false, err
		}
	}
	required := authn.RequiredACR(h.Authn.RequirementsOf(user)...)
	if !signedIn || !authn.MeetsPolicy(session.ACR, session.AMR, required) {
		returnPath := "/account"
		if r.Method == http.MethodGet {
			returnPath = r.URL.EscapedPath()
		}
		return viewer{}, false, h.RedirectToSignIn(w, r, returnPath)
	}
	return viewer{session, user}, true, nil
}

// requireForm is requireViewer for a submitted form. The form's interaction must have been sealed for this browser and
// this session.
func (h *Handler) requireForm(w http.ResponseWriter, r *http.Request) (v viewer, form url.Values, ok bool, err error) {
	v, ok, err = h.requireViewer(w, r)
	if !ok {
		return v, nil, false, err
	}
	values, err := web.Params(r)
	if err != nil {
		return v, nil, false, err
	}
	var formSession storage.SessionID // the session for which the form was shown
	_, err = h.Site.OpenInteraction(r, purposeAccount, values.Get("interaction"), &formSession)
	if err != nil || formSession != v.session.ID {
		return v, nil, false, web.PageError{
			Text:    templates.ErrorAccountPageExpired,
			LinkURL: h.Site.Path("/account"),
			Link:    templates.LinkAccount,
		}
	}
	return v, values, true, nil
}

// accountPage returns the fields that all account pages have in common.
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
		SecurityURL:     h.Site.Path("/account/security"),
		ActivityURL:     h.Site.Path("/account/activity"),
		SignOutURL:      h.Site.Path("/end_session"),
	}
	page.Account = cmp.Or(v.user.Email, v.user.Name)
	page.ProbeURL = h.Site.Path("/account/probe")
	page.EndedURL = h.Site.Path("/account")
	page.Notice = templates.Notice(r.URL.Query().Get("done"))
	if page.Notice != templates.NoticeNothing && page.Notice != templates.NoticeSameEmail {
		page.NoticeURL = page.ActivityURL
	}
	return page, nil
}

// Probe handles GET /account/probe: 204 while the session is active, 401 afterwards. A probe comes from a script, so it
// does not count as activity of the user.
func (h *Handler) Probe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	_, signedIn, err := h.Site.Session(r)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !signedIn:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// cause returns the cause of a termination by the user.
func (h *Handler) cause(r *http.Request, v viewer, reason storage.Reason) storage.Cause {
	return storage.Cause{Reason: reason, By: "user:" + v.user.Subject, Address: h.Site.ClientAddress(r)}
}

// redirectWithNotice redirects to an account page, which shows the notice.
func (h *Handler) redirectWithNotice(w http.ResponseWriter, path string, notice templates.Notice) {
	web.Redirect(w, h.Site.Path(path+"?done="+string(notice)))
}

// sessions returns all active sessions of the user: this browser's first, then those with the latest activity.
func (h *Handler) sessions(ctx context.Context, v viewer) ([]storage.Session, error) {
	sessions, err := logoutview.AllSessions(ctx, h.Store, v.user.Subject, h.Site.Now())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(sessions, func(a, b storage.Session) int {
		switch {
		case a.ID == v.session.ID:
			return -1
		case b.ID == v.session.ID:
			return 1
		}
		return b.LastActive.Compare(a.LastActive)
	})
	return sessions, nil
}

// apps returns a function that finds the app of a client id. It reads each client once. For a removed client the app's
// name is the id.
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

// appNames returns a function that finds the name of an app by its client id.
func (h *Handler) appNames(ctx context.Context) func(id string) string {
	find := h.apps(ctx)
	return func(id string) string { return find(id).Name }
}
