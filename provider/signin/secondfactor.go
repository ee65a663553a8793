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

// firstFactor records, between two pages, that the user has given the first factor: a correct password, or a sign-in at
// an upstream. The interaction carries it, sealed. It can be used once. The session is stored only after a correct
// second factor.
type firstFactor struct {
	ID         string           `json:"i"` // random
	Subject    string           `json:"s"`
	Password   storage.Hash     `json:"p"` // hash of the stored password hash; a new password revokes the first factor
	AuthTime   int64            `json:"t"` // Unix milliseconds
	Sequence   storage.Sequence `json:"q"` // from before the user was read; a logout after that revokes the first factor
	AMR        []string         `json:"m"`
	RememberMe bool             `json:"r,omitempty"`
	EndOldest  bool             `json:"o,omitempty"` // the user chose to end sessions to make room for this one

	Upstream storage.UpstreamSession `json:"u,omitzero"`  // of a sign-in at an upstream instead of a password
	IDToken  []byte                  `json:"k,omitempty"` // Upstream.IDToken
}

// secondFactorNeededError says that the first factor was correct and that a second one is required.
type secondFactorNeededError struct{ first firstFactor }

// errFirstFactorOver says that a first factor was revoked, has expired or was used.
var errFirstFactorOver = fmt.Errorf("the password waited too long, was changed or was used: %w", storage.ErrRevoked)

func (e *secondFactorNeededError) Error() string { return "a second factor is needed" }

func newFirstFactor(a authn.Authentication, rememberMe, endOldest bool) firstFactor {
	return firstFactor{
		ID:         keys.Random(),
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

// upstreamSession returns the session at the upstream. It is zero if the first factor is a password.
func (f *firstFactor) upstreamSession() storage.UpstreamSession {
	session := f.Upstream
	session.IDToken = f.IDToken
	return session
}

func (f *firstFactor) authTime() time.Time { return time.UnixMilli(f.AuthTime) }

// pendingFactor returns the first factor of the interaction. It returns nil if there is none or it has expired.
func (req *interaction) pendingFactor(now time.Time) *firstFactor {
	if req.First == nil || now.Sub(req.First.authTime()) >= authn.SecondFactorLifetime {
		return nil
	}
	return req.First
}

// requiredACR returns the acr that the operator demands of the user for this request. An empty acr means any.
func (h *Handler) requiredACR(req *authRequest, user storage.User) string {
	requirements := h.Policy.RequirementsOf(user)
	if req.clientRecord != nil {
		requirements = append(requirements, req.clientRecord.RequireAuthn)
	}
	return authn.RequiredACR(requirements...)
}

// needsSecondFactor reports whether a user who has just authenticated must also give a second factor. In a browser that
// was remembered for this user, no code of an authenticator app is needed. needsSecondFactor then adds
// authn.AMRRemembered to authenticated.
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
	required := h.requiredACR(req, authenticated.User)
	if factors.TOTP != nil {
		required = authn.Stronger(required, authn.ACRMultiFactor)
	}
	if authn.MeetsPolicy(authenticated.ACR, authenticated.AMR, required) {
		return false, nil
	}
	secret := h.Site.RememberedBrowser(r)
	mayBeRemembered := secret != "" && h.Policy.RememberBrowser > 0
	if mayBeRemembered && factors.Remembers(storage.HashOf(secret), h.Site.Now()) {
		*authenticated = authn.WithRemembered(*authenticated)
	}
	return !authn.MeetsPolicy(authenticated.ACR, authenticated.AMR, required), nil
}

// missingACR returns the acr that the request demands and the session does not meet, or "" if the session is strong
// enough. Its error is unmet_authentication_requirements if the request demands an acr that the user cannot reach
// (OpenID Connect Core Unmet Authentication Requirements 1.0 §2).
func (h *Handler) missingACR(
	ctx context.Context,
	req *authRequest,
	session *storage.Session,
	user storage.User,
) (string, error) {
	required := h.requiredACR(req, user)
	if !authn.MeetsPolicy(session.ACR, session.AMR, required) {
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

// usable returns those of candidates with which a user with these factors meets acr.
func usable(candidates []authn.SecondFactor, factors storage.Factors, acr string) []authn.Authenticator {
	var list []authn.Authenticator
	for _, candidate := range candidates {
		if candidate.Usable(factors, acr) {
			list = append(list, candidate)
		}
	}
	return list
}

// secondFactors returns the authenticators from which the user may choose in this step. It returns one that sets up a
// factor only if the user has no second factor to give instead: a password alone must not add a factor.
func (h *Handler) secondFactors(
	ctx context.Context,
	req *authRequest,
	session *storage.Session,
	user storage.User,
) ([]authn.Authenticator, error) {
	factors, err := h.Store.Factors(ctx, user.Subject)
	if err != nil {
		return nil, err
	}
	if h.pending(req) != nil {
		if factors.HasSecondFactor() {
			return usable(h.SecondFactors, factors, ""), nil
		}
		required := h.requiredACR(req, user)
		if required == "" { // the user has removed the second factor meanwhile, and signs in again without it
			return nil, nil
		}
		return usable(h.Enrolments, factors, required), nil
	}
	missing, err := h.missingACR(ctx, req, session, user)
	if err != nil {
		return nil, err
	}
	if list := usable(h.SecondFactors, factors, missing); len(list) > 0 {
		return list, nil
	}
	return usable(h.Enrolments, factors, missing), nil
}

// pending returns the first factor of this request, or nil.
func (h *Handler) pending(req *authRequest) *firstFactor { return req.pendingFactor(h.Site.Now()) }

// firstAuthentication returns the authentication to which a second factor is added: the first factor of the request or,
// without one, the session. storage.ErrRevoked: the user was disabled or removed, or has a new password.
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
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return authn.Authentication{}, errFirstFactorOver
	case err != nil:
		return authn.Authentication{}, err
	case user.Disabled, storage.HashOf(user.Password) != first.Password:
		return authn.Authentication{}, errFirstFactorOver
	}
	return authn.Authentication{
		User:     user,
		AuthTime: first.authTime(),
		Sequence: first.Sequence,
		AMR:      first.AMR,
		Upstream: first.upstreamSession(),
	}, nil
}

// useFirstFactor marks a first factor as used and refuses one that was used before, so that a saved page of a sign-in
// cannot start a second session.
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

// rememberBrowser stores that this browser needs no second factor for authn.remember_browser. It only logs a failure:
// the next sign-in then asks for the second factor again.
func (h *Handler) rememberBrowser(w http.ResponseWriter, r *http.Request, subject string) {
	now := h.Site.Now()
	secret := keys.Random()
	browser := storage.RememberedBrowser{
		SecretHash: storage.HashOf(secret),
		Created:    now.UTC().Truncate(time.Millisecond),
		Expires:    now.Add(h.Policy.RememberBrowser).UTC().Truncate(time.Millisecond),
		UserAgent:  web.UserAgent(r),
	}
	event := authn.FactorEvent(now, authn.EventBrowserRemembered, subject, h.Site.ClientAddress(r), "browser")
	remember := func(f *storage.Factors) error {
		f.RememberBrowser(browser)
		return nil
	}
	if err := h.Store.ChangeFactors(r.Context(), subject, remember, event); err != nil {
		h.Site.Logger().WarnContext(r.Context(), "browser not remembered", "sub", subject, "err", err)
		return
	}
	h.Site.SetRememberedBrowser(w, secret, h.Policy.RememberBrowser)
}
