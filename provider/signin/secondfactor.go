package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// firstFactor is a correct password that waits for the second factor. It travels sealed in the interaction and counts
// once. Nothing is stored, and no session exists, before the second factor is correct.
type firstFactor struct {
	ID         string           `json:"i"` // random
	Subject    string           `json:"s"`
	Password   storage.Hash     `json:"p"` // of the stored password hash: a new password ends the wait
	AuthTime   int64            `json:"t"` // Unix milliseconds
	Sequence   storage.Sequence `json:"q"` // from before the user was read: a logout from then on ends the wait
	AMR        []string         `json:"m"`
	RememberMe bool             `json:"r,omitempty"`
	EndOldest  bool             `json:"o,omitempty"` // the user chose to end sessions to make room for this one

	Upstream storage.UpstreamSession `json:"u,omitzero"`  // of a sign-in at an upstream instead of a password
	IDToken  []byte                  `json:"k,omitempty"` // Upstream.IDToken
}

// secondFactorNeededError is the outcome of a correct password that is not enough.
type secondFactorNeededError struct{ first firstFactor }

// errFirstFactorOver: the password that waited for its second factor does not count any more.
var errFirstFactorOver = fmt.Errorf("the password waited too long, was changed or was used: %w", storage.ErrRevoked)

func (e *secondFactorNeededError) Error() string { return "a second factor is needed" }

func newFirstFactor(a authn.Authentication, rememberMe, endOldest bool) firstFactor {
	return firstFactor{
		ID:         keys.Random(""),
		Subject:    a.User.Subject,
		Password:   storage.HashOf(a.User.Password),
		AuthTime:   a.AuthTime.UnixMilli(),
		Sequence:   a.Sequence,
		AMR:        a.AMR,
		RememberMe: rememberMe,
		EndOldest:  endOldest,
		Upstream:   a.Upstream,
		IDToken:    a.Upstream.IDToken,
	}
}

// upstreamSession returns the session at the upstream; zero: the first factor is a password.
func (f *firstFactor) upstreamSession() storage.UpstreamSession {
	session := f.Upstream
	session.IDToken = f.IDToken
	return session
}

func (f *firstFactor) authTime() time.Time { return time.UnixMilli(f.AuthTime) }

// pendingFactor returns the password that waits for its second factor; nil if there is none or its time is over.
func (req *interaction) pendingFactor(now time.Time) *firstFactor {
	if req.First == nil || now.Sub(req.First.authTime()) >= authn.SecondFactorLifetime {
		return nil
	}
	return req.First
}

// requiredACR returns the acr that the operator demands for this request; empty: any.
func (h *Handler) requiredACR(req *authRequest) string {
	required := authn.Required(h.Policy.Require)
	if req.clientRecord != nil {
		required = authn.Stronger(required, authn.Required(req.clientRecord.RequireAuthn))
	}
	return required
}

// needsSecondFactor reports whether a user who has just authenticated has to prove one thing more before a session
// starts. A browser that was remembered for this user makes an authenticator app unnecessary; authenticated then says
// so.
func (h *Handler) needsSecondFactor(
	r *http.Request,
	req *authRequest,
	authenticated *authn.Authentication,
) (bool, error) {
	if len(h.SecondFactors) == 0 {
		return false, nil
	}
	factors, err := h.Store.Factors(r.Context(), authenticated.User.Subject)
	if err != nil {
		return false, err
	}
	required := h.requiredACR(req)
	if factors.TOTP != nil {
		required = authn.Stronger(required, authn.ACRMultiFactor)
	}
	if authn.MeetsPolicy(authenticated.ACR, authenticated.AMR, required) {
		return false, nil
	}
	if secret := h.Site.RememberedBrowser(r); secret != "" && h.Policy.RememberBrowser > 0 &&
		factors.Remembers(storage.HashOf(secret), h.Site.Now()) {
		*authenticated = authn.WithRemembered(*authenticated)
	}
	return !authn.MeetsPolicy(authenticated.ACR, authenticated.AMR, required), nil
}

// missingACR returns the acr that the session lacks for this request; empty if it is strong enough. It returns
// unmet_authentication_requirements if the request demands an acr that the user cannot reach (OpenID Connect Core
// Unmet Authentication Requirements 1.0 §2).
func (h *Handler) missingACR(ctx context.Context, req *authRequest, session *storage.Session) (string, error) {
	if required := h.requiredACR(req); !authn.MeetsPolicy(session.ACR, session.AMR, required) {
		return required, nil
	}
	if req.ACR == "" || authn.Meets(session.ACR, req.ACR) {
		return "", nil
	}
	factors, err := h.Store.Factors(ctx, session.Subject)
	switch {
	case err != nil:
		return "", err
	case len(usable(h.SecondFactors, factors, req.ACR)) > 0:
		return req.ACR, nil
	case req.EssentialACR:
		return "", oauthError(
			"claims",
			"unmet_authentication_requirements",
			"the user has no factor that gives the essential acr",
		)
	}
	return "", nil
}

// usable returns the factors with which a user reaches acr.
func usable(from []authn.SecondFactor, factors storage.Factors, acr string) []authn.Authenticator {
	var list []authn.Authenticator
	for _, factor := range from {
		if factor.Usable(factors, acr) {
			list = append(list, factor)
		}
	}
	return list
}

// secondFactors returns the second factors that the user may choose from in this step. A factor that is required and
// missing is set up only after everything that the user has: a password alone adds no factor beside another.
func (h *Handler) secondFactors(
	ctx context.Context,
	req *authRequest,
	session *storage.Session,
	subject string,
) ([]authn.Authenticator, error) {
	factors, err := h.Store.Factors(ctx, subject)
	if err != nil {
		return nil, err
	}
	if h.pending(req) != nil {
		if factors.HasSecondFactor() {
			return usable(h.SecondFactors, factors, ""), nil
		}
		required := h.requiredACR(req)
		if required == "" { // the factor was removed meanwhile: the user signs in anew, without it
			return nil, nil
		}
		return usable(h.Enrolments, factors, required), nil
	}
	missing, err := h.missingACR(ctx, req, session)
	if err != nil {
		return nil, err
	}
	if list := usable(h.SecondFactors, factors, missing); len(list) > 0 {
		return list, nil
	}
	return usable(h.Enrolments, factors, missing), nil
}

// pending returns the password of this request that waits for its second factor.
func (h *Handler) pending(req *authRequest) *firstFactor { return req.pendingFactor(h.Site.Now()) }

// firstAuthentication returns what the user has proven before the second factor: a password that waits, or the
// session. storage.ErrRevoked: it does not count any more.
func (h *Handler) firstAuthentication(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
) (authn.Authentication, error) {
	first := h.pending(req)
	if first == nil {
		user, err := h.Store.User(r.Context(), session.Subject)
		return authn.OfSession(*session, user, req.sequence), err
	}
	user, err := h.Store.User(r.Context(), first.Subject)
	if errors.Is(err, storage.ErrNotFound) ||
		err == nil && (user.Disabled || storage.HashOf(user.Password) != first.Password) {
		return authn.Authentication{}, errFirstFactorOver
	}
	return authn.Authentication{
		User:     user,
		AuthTime: first.authTime(),
		Sequence: first.Sequence,
		AMR:      first.AMR,
		Upstream: first.upstreamSession(),
	}, err
}

// useFirstFactor makes a password that waited for its second factor count once, so that a kept page of a sign-in does
// not give a second session.
func (h *Handler) useFirstFactor(ctx context.Context, first *firstFactor, now time.Time) error {
	err := h.Store.MarkUsed(
		ctx,
		"first factor "+first.ID,
		first.authTime(),
		first.authTime().Add(authn.SecondFactorLifetime),
		now,
	)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return errFirstFactorOver
	}
	return err
}

// rememberBrowser stores that this browser is not asked for the second factor for a while. A failure is only logged:
// the user is asked once more then.
func (h *Handler) rememberBrowser(w http.ResponseWriter, r *http.Request, subject string) {
	now, secret := h.Site.Now(), keys.Random("")
	browser := storage.RememberedBrowser{
		SecretHash: storage.HashOf(secret),
		Created:    now.UTC().Truncate(time.Millisecond),
		Expires:    now.Add(h.Policy.RememberBrowser).UTC().Truncate(time.Millisecond),
		UserAgent:  web.UserAgent(r),
	}
	err := h.Store.ChangeFactors(r.Context(), subject, func(f *storage.Factors) error {
		f.RememberBrowser(browser)
		return nil
	}, authn.FactorEvent(now, authn.EventBrowserRemembered, subject, h.Site.ClientAddress(r), "browser"))
	if err != nil {
		h.Site.Logger().WarnContext(r.Context(), "browser not remembered", "sub", subject, "err", err)
		return
	}
	h.Site.SetRememberedBrowser(w, secret, h.Policy.RememberBrowser)
}
