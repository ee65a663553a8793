package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Store is what signing in asks of the store.
type Store interface {
	User(ctx context.Context, subject string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	PutUser(ctx context.Context, u storage.User, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	Session(ctx context.Context, id storage.SessionID, at time.Time) (storage.Session, error)
	CreateSession(ctx context.Context, s storage.Session, e storage.Event) error
	Reauthenticate(ctx context.Context, id storage.SessionID, a storage.Authentication, at time.Time, e storage.Event) (storage.Session, error)
	Touch(ctx context.Context, id storage.SessionID, at time.Time) error
	Consent(ctx context.Context, subject, client string) (storage.Consent, error)
	PutConsent(ctx context.Context, c storage.Consent) error
	Join(ctx context.Context, code storage.Code, at time.Time, issue func(storage.Session, storage.Member) (storage.Issue, error)) (storage.Redeemed, error)
}

// Ender ends sessions (logout.Ender).
type Ender interface {
	End(ctx context.Context, sel storage.Selector, cause storage.Cause, change storage.Change) (logout.Outcome, error)
}

// Hints verifies ID token hints, expired ones and those signed by retired keys too (provider/keys).
type Hints interface {
	VerifyHint(token string) (keys.Hint, error)
}

// Objects merges a request object, by value or by reference, into the parameters (Core §6).
type Objects interface {
	Merge(ctx context.Context, v url.Values, client func(context.Context, string) (*storage.Client, error)) (url.Values, error)
}

// Lifetimes are how long sessions and interactions live.
type Lifetimes struct {
	Idle, Absolute         time.Duration
	KeepIdle, KeepAbsolute time.Duration // with "keep me signed in"
	Interaction            time.Duration // a sign-in or consent page may stay open for this long
}

// Handler serves /authorize, /login/… and /consent/….
type Handler struct {
	Site      *web.Site
	Store     Store
	Ender     Ender
	Minter    *tokens.Minter
	Hints     Hints
	Objects   Objects
	Hasher    Hasher
	Limiter   Limiter
	Lifetimes Lifetimes
}

const (
	purposeLogin   = "login"
	purposeConsent = "consent"
)

// fault is what a person is shown when an error cannot go to an application.
func fault(what, do string) error { return pageFault{what, do} }

type pageFault struct{ what, do string }

func (f pageFault) Error() string { return f.what }

// policy is that of a page on the way to an application: form-action is left out, because Chromium applies it to the application's own
// onward redirects.
func policy(app *templates.Application) web.PagePolicy {
	return web.PagePolicy{Forms: true, Images: web.LogoOrigins(app)}
}

// answer sends an error to the application if its redirect URI is proven, else to the person.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, p *parsed, err error) {
	if f, ok := errors.AsType[pageFault](err); ok {
		h.Site.Error(w, r, web.Fault{What: f.what, Do: f.do})
		return
	}
	if p == nil || !p.proven {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	h.respondError(w, r, &p.request, p.client, err)
}
