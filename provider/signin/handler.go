package signin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Store is the part of storage.Store that this package uses.
type Store interface {
	Sequence(ctx context.Context) (storage.Sequence, error)
	User(ctx context.Context, subject string) (storage.User, error)
	Client(ctx context.Context, id string) (*storage.Client, error)
	Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error)
	ListSessions(
		ctx context.Context,
		sel storage.Selector,
		at time.Time,
		p storage.Page,
	) (sessions []storage.Session, next string, err error)
	CreateSession(ctx context.Context, s storage.Session, e storage.Event) error
	Reauthenticate(
		ctx context.Context,
		id storage.SessionID,
		a storage.Authentication,
		at time.Time,
		e storage.Event,
	) (storage.Session, error)
	PutUser(ctx context.Context, u storage.User, e ...storage.Event) error
	Touch(ctx context.Context, id storage.SessionID, at time.Time) error
	Factors(ctx context.Context, subject string) (storage.Factors, error)
	ChangeFactors(
		ctx context.Context, subject string, change func(*storage.Factors) error, e ...storage.Event,
	) error
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
	Consent(ctx context.Context, subject, client string) (storage.Consent, error)
	PutConsent(ctx context.Context, c storage.Consent) error
	ListIdentities(ctx context.Context, user string) ([]storage.Identity, error)
	Join(
		ctx context.Context,
		code storage.Code,
		at time.Time,
		issue func(storage.Session, storage.ClientSession) (storage.Issuance, error),
	) (storage.RedeemResult, error)
}

// HintVerifier verifies ID token hints. It also accepts expired hints and hints that a retired key signed
// (provider/keys).
type HintVerifier interface {
	VerifyHint(token string) (keys.Hint, error)
}

// RequestObjects merges a request object, passed by value or by reference, into the parameters (Core §6).
type RequestObjects interface {
	Merge(
		ctx context.Context,
		v url.Values,
		client func(context.Context, string) (*storage.Client, error),
	) (url.Values, error)
}

// interactionLifetime is how long a sign-in or consent page may stay open.
const interactionLifetime = time.Hour

// Handler serves /authorize, /login/…, /consent/… and the callbacks of upstreams.
type Handler struct {
	Site           *web.Site
	Store          Store
	Terminator     *logout.Terminator
	Minter         *tokens.Minter
	HintVerifier   HintVerifier
	RequestObjects RequestObjects
	Authenticators []authn.Authenticator // the ways to sign in; the first is offered first
	SecondFactors  []authn.SecondFactor  // what may be asked after the password; the first usable one is offered first
	Enrolments     []authn.SecondFactor  // set up a required factor that the user lacks
	Upstreams      upstream.Set          // other providers with whose accounts users sign in
	Accounts       upstream.Accounts     // the users of those accounts
	Policy         policy.Authn
	Lifetimes      policy.Session
	Notices        *mail.Notices // nil: Curfew sends no mail
	NoticeLimiter  authn.Limiter // of the messages about sign-ins

	started startedSessions
}

// Purposes of sealed interactions: an interaction that was sealed for one page does not open on another.
const (
	purposeLogin   = "login"
	purposeConsent = "consent"
)

// pagePolicy returns the policy of a page that leads back to the client. It sets no form-action: Chromium applies
// form-action to redirects too and would block the one to the client.
func pagePolicy(app *templates.App) web.PagePolicy {
	return web.PagePolicy{HasForms: true, ImageOrigins: web.LogoOrigins(app)}
}

// answerError sends err to the client if the redirect URI is verified. Otherwise it returns err, and the user sees an
// error page.
func (h *Handler) answerError(w http.ResponseWriter, r *http.Request, req *authRequest, err error) error {
	if _, isPage := errors.AsType[web.PageError](err); isPage || !req.redirectURIVerified {
		return err
	}
	if req.mustNotRedirectError() {
		return h.errorPageWithLink(r, req, err)
	}
	h.respondOAuthError(w, r, &req.interaction, req.clientRecord, err)
	return nil
}

// mustNotRedirectError reports whether an error must not redirect to a client that registered itself. A stranger chose
// its redirect URI, so a link to this provider would lead to any website before the user has seen a page of the
// provider (RFC 9700 §4.11.2).
func (req *authRequest) mustNotRedirectError() bool {
	mayShowPage := !req.hasPrompt("none")              // Core §3.1.2.1
	showsHostAnyway := req.ResponseMode == "form_post" // the page with the form names the host
	return req.clientRecord.Dynamic && !req.pageShown && mayShowPage && !showsHostAnyway
}

// errorPageWithLink returns a page with the host of the redirect URI and a link to the error response.
func (h *Handler) errorPageWithLink(r *http.Request, req *authRequest, err error) error {
	e := web.AuthorizationErrorFrom(err)
	e.Subject.Client = req.ClientID
	params := h.errorParams(e)
	params.add("state", req.State)
	params.add("iss", h.Site.Issuer)
	page := web.PageError{
		Text:    templates.ErrorAppRequest,
		Value:   cmp.Or(web.URIHost(req.RedirectURI), req.ClientID),
		LinkURL: req.responseURL(params),
		Link:    templates.LinkApp,
		Reason:  e.Code + ": " + cmp.Or(e.Reason, e.Description),
		Subject: e.Subject,
	}
	if e.Code == "server_error" || e.Code == "temporarily_unavailable" {
		page.Err = e.Err
	}
	return page
}
