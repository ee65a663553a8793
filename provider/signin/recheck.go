package signin

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// recheck.go asks an upstream, silently and in the browser (prompt=none, Core §3.1.2.1), whether the user is still
// signed in there. It does so when the browser comes to /authorize and the last check is older than the setting
// recheck. The browser is the only witness: Curfew keeps no tokens of an upstream that it could present by itself.

// recheckDue returns the upstream at which the session must be checked before the request goes on, or nil. Only a
// top-level navigation takes the cookies of the upstream along: in a frame every upstream would answer
// login_required. A browser that left for an upstream and did not come back is not sent there again for a minute, so
// that an upstream that is down locks out nobody.
func (h *Handler) recheckDue(r *http.Request, session storage.Session) *upstream.Provider {
	if session.Upstream.IsZero() {
		return nil
	}
	p := h.Upstreams.Find(session.Upstream.Provider)
	if p == nil || p.Issuer != session.Upstream.Issuer || p.Recheck == 0 {
		return nil
	}
	isDue := h.Site.Now().Sub(session.Upstream.Checked) >= p.Recheck
	if !isDue || r.Header.Get("Sec-Fetch-Dest") != "document" || h.Site.WasRouted(r) {
		return nil
	}
	return p
}

// redirectToRecheck seals the request and redirects to the upstream. If the upstream cannot be used, the session stays
// and the request goes on.
func (h *Handler) redirectToRecheck(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	session storage.Session,
) error {
	flow := p.NewSilentFlow(string(session.ID))
	state, err := h.sealForUpstream(w, r, req, p, flow)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	target, err := p.SilentURL(r.Context(), flow, state, session.Upstream)
	h.Site.RememberRoute(w)
	if err != nil {
		h.logRecheck(r, p, session, "the session at the upstream was not checked", err)
		return h.proceed(w, r, req, &session)
	}
	web.Redirect(w, target)
	return nil
}

// finishRecheck handles the upstream's response to a silent check. A refusal ends the session, and the request goes on
// without one. An upstream that fails in another way ends nothing. current is nil if the browser is not signed in.
func (h *Handler) finishRecheck(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	flow upstream.Flow,
	response url.Values,
	current *storage.Session,
) error {
	if current == nil || string(current.ID) != flow.Session {
		return h.proceed(w, r, req, current) // it has ended meanwhile
	}
	account, err := p.Redeem(r.Context(), flow, response)
	refusal, isRefused := errors.AsType[*upstream.RefusedError](err)
	switch {
	case err == nil && account.Subject != current.Upstream.Subject:
		return h.endAtRecheck(w, r, req, p, *current, errors.New("another user is signed in at the upstream"))
	case isRefused && refusal.SignedOut:
		return h.endAtRecheck(w, r, req, p, *current, err)
	case err != nil:
		h.Site.RememberRoute(w)
		h.logRecheck(r, p, *current, "the session at the upstream was not checked", err)
		return h.proceed(w, r, req, current)
	}
	renewed, err := h.renewAtRecheck(w, r, req, *current, account.UpstreamSession)
	if errors.Is(err, storage.ErrRevoked) {
		return h.proceed(w, r, req, nil)
	}
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	return h.proceed(w, r, req, &renewed)
}

// endAtRecheck ends a session whose upstream has refused it.
func (h *Handler) endAtRecheck(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	session storage.Session,
	reason error,
) error {
	h.logRecheck(r, p, session, "the upstream refused a session", reason)
	_, err := h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{Sessions: []storage.SessionID{session.ID}},
		Cause: storage.Cause{
			Reason:  storage.ReasonUpstreamRecheck,
			By:      "upstream:" + p.ID,
			Address: h.Site.ClientAddress(r),
		},
	})
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	h.Site.ClearSessionCookie(w, r)
	return h.proceed(w, r, req, nil)
}

// renewAtRecheck stores that the upstream has confirmed the session, with its new ID token and session_expiry. The
// session never gets longer than its own absolute lifetime allows, and auth_time stays.
func (h *Handler) renewAtRecheck(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	session storage.Session,
	confirmed storage.UpstreamSession,
) (storage.Session, error) {
	now := h.Site.Now().UTC().Truncate(time.Millisecond)
	absolute := h.Lifetimes.Absolute
	if session.RememberMe {
		absolute = h.Lifetimes.RememberAbsolute
	}
	expires := session.Expires
	if begin := session.Created.Add(absolute); expires.Equal(session.Upstream.Expires) && begin.After(expires) {
		expires = begin // only session_expiry was shorter, and there is a new one
	}
	secret := keys.Random()
	renewed, err := h.Store.Reauthenticate(r.Context(), session.ID, storage.Authentication{
		SecretHash:  storage.HashOf(secret),
		AuthTime:    session.AuthTime,
		AMR:         session.AMR,
		ACR:         session.ACR,
		RememberMe:  session.RememberMe,
		IdleTimeout: session.IdleTimeout,
		Expires:     confirmed.Limit(expires),
		UserAgent:   session.UserAgent,
		Address:     session.Address,
		Upstream:    confirmed,
		Sequence:    req.sequence,
	}, now, storage.Event{
		At:      now,
		Kind:    "session.rechecked",
		By:      "upstream:" + confirmed.Provider,
		Subject: session.Subject,
		Session: storage.SessionHash(session.ID),
		Address: h.Site.ClientAddress(r),
	})
	if err != nil {
		return storage.Session{}, err
	}
	cookieLifetime := time.Duration(0)
	if session.RememberMe {
		cookieLifetime = renewed.Expires.Sub(now)
	}
	h.Site.SetSessionCookie(w, r, secret, cookieLifetime)
	return renewed, nil
}

func (h *Handler) logRecheck(r *http.Request, p *upstream.Provider, s storage.Session, message string, err error) {
	h.Site.Logger().LogAttrs(r.Context(), slog.LevelWarn, message,
		slog.String("upstream", p.ID),
		slog.String("session", storage.SessionHash(s.ID)),
		slog.Any("err", err))
}
