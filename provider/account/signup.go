package account

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PathSignUp is the page on which everyone may ask for a link that makes an account.
const PathSignUp = "/signup"

// signUpLifetime is how long a link that makes an account works.
const signUpLifetime = 24 * time.Hour

// ShowSignUp handles GET /signup.
func (h *Handler) ShowSignUp(w http.ResponseWriter, r *http.Request) error {
	return h.renderSignUp(w, r, templates.SignUpPage{})
}

// SignUp handles POST /signup. The link is made after the answer: neither the answer nor its time shows whether the
// address has an account.
func (h *Handler) SignUp(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	email := strings.TrimSpace(form.Get("email"))
	switch {
	case !storage.IsEmail(email):
		return h.renderSignUp(w, r, templates.SignUpPage{Problem: templates.Problem{Fault: templates.EmailInvalid}})
	case !h.SignUps.Policy.Admits(email):
		return h.renderSignUp(w, r, templates.SignUpPage{Problem: templates.Problem{Fault: templates.EmailDomain}})
	}
	origin := authn.Origin{Address: h.Site.ClientAddress(r)}
	err = h.Limiter.Allow(r.Context(), h.Site.Now(), "sign-up\x00"+storage.EmailKey(email), origin)
	if tooMany, ok := errors.AsType[*authn.TooManyAttemptsError](err); ok {
		return web.PageError{
			Status:     http.StatusTooManyRequests,
			Reason:     "too many requests to sign up",
			RetryAfter: tooMany.Wait,
		}
	}
	if err != nil {
		return err
	}
	if !h.SignUps.Request(email, h.Site.Page(r).Lang) {
		return web.PageError{Status: http.StatusServiceUnavailable, Reason: "too many requests to sign up wait"}
	}
	return h.renderSignUp(w, r, templates.SignUpPage{Sent: true})
}

func (h *Handler) renderSignUp(w http.ResponseWriter, r *http.Request, page templates.SignUpPage) error {
	page.Page = h.Site.Page(r)
	page.Action = h.Site.Path(PathSignUp)
	page.SignInURL = h.Site.Path("/account")
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if page.Problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.SignUp(w, page))
	return nil
}

// SignUpStore is the part of a store that SignUps uses.
type SignUpStore interface {
	storage.OneTimeLinks
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	QueueMail(ctx context.Context, m ...storage.Mail) error
}

// SignUps mails links to the addresses that ask for an account, after the browser was answered. A request that waits in
// memory is lost with the process; the user then asks again.
type SignUps struct {
	Store   SignUpStore
	Notices *mail.Notices
	Policy  policy.SignUp
	Now     func() time.Time
	Log     *slog.Logger

	requests chan signUp
}

// signUp is a request for an account.
type signUp struct{ email, language string }

// NewSignUps returns s, ready for use. Its exported fields must be set.
func NewSignUps(s SignUps) *SignUps {
	s.requests = make(chan signUp, maxResetRequests)
	return &s
}

// Request passes on a request for an account. It returns false if too many wait.
func (s *SignUps) Request(email, language string) bool {
	select {
	case s.requests <- signUp{email, language}:
		return true
	default:
		return false
	}
}

// Run handles requests until ctx ends.
func (s *SignUps) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case request := <-s.requests:
			if err := s.handle(ctx, request); err != nil {
				s.Log.ErrorContext(ctx, "sign-up mail not queued", "err", err)
			}
		}
	}
}

// handle mails the link or, if the address has an account, a message that says so.
func (s *SignUps) handle(ctx context.Context, request signUp) error {
	now := s.Now()
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkSignUp,
		Subject: strings.ToLower(rand.Text()), // of the user who may sign up
		Address: request.email,
		Created: now,
		Expires: now.Add(signUpLifetime),
	}
	to := storage.User{Name: request.email, Language: request.language}
	known, err := s.Store.UserByLogin(ctx, request.email)
	if errors.Is(err, storage.ErrNotFound) {
		message, err := s.Notices.Write(to, templates.MailSignUp, link, "/signup/"+secret)
		if err != nil {
			return err
		}
		event := storage.Event{At: now, Kind: "user.sign_up_mail", By: "system", Subject: link.Subject}
		err = s.Store.PutOneTimeLink(ctx, link, event, message)
		s.Notices.Outbox.Wake()
		return err
	}
	if err != nil {
		return err
	}
	isMailbox := known.EmailVerified && storage.EmailKey(known.Email) == storage.EmailKey(request.email)
	if !isMailbox || known.Disabled {
		s.Log.InfoContext(ctx, "sign-up mail refused", "sub", known.Subject, "reason", "the login name is taken")
		return nil
	}
	message, err := s.Notices.Write(to, templates.MailSignUpKnown, link, "/account")
	if err != nil {
		return err
	}
	err = s.Store.QueueMail(ctx, message)
	s.Notices.Outbox.Wake()
	return err
}
