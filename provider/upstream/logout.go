package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Handler serves the endpoints that upstreams call when a session there ends.
type Handler struct {
	Site       *web.Site
	Upstreams  Set
	Store      Store
	Terminator *logout.Terminator
}

// BackchannelLogout handles POST /upstream/{upstream}/backchannel_logout (Back-Channel Logout 1.0 §2.5).
func (h *Handler) BackchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // §2.8
	p := h.Upstreams.Find(r.PathValue("upstream"))
	if p == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	switch err := h.endByToken(r, p); {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.As(err, new(*RefusedError)):
		h.log(r, p, slog.LevelWarn, "logout token of an upstream refused", err)
		writeLogoutError(w, http.StatusBadRequest, "invalid_request")
	case errors.Is(err, ErrUnavailable):
		h.log(r, p, slog.LevelWarn, "logout token of an upstream not verified", err)
		writeLogoutError(w, http.StatusServiceUnavailable, "temporarily_unavailable")
	default:
		h.log(r, p, slog.LevelError, "logout by an upstream failed", err)
		writeLogoutError(w, http.StatusServiceUnavailable, "server_error")
	}
}

// writeLogoutError writes the error response of Back-Channel Logout 1.0 §2.8.
func writeLogoutError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":"` + code + `"}` + "\n")) // an error means that the upstream has disconnected
}

// endByToken verifies a logout token and ends the sessions that it names. It refuses a jti that was used before. It
// marks the jti as used only after the sessions have ended, so that the upstream can send the token again after a
// crash.
func (h *Handler) endByToken(r *http.Request, p *Provider) error {
	form, err := web.Params(r)
	if err != nil {
		return refused("the request is not a form: %v", err)
	}
	ctx := r.Context()
	m, err := p.metadata(ctx)
	if err != nil {
		return err
	}
	token, err := p.verifier(m).VerifyLogout(ctx, form.Get("logout_token"))
	if err != nil {
		return refused("%v", err)
	}
	now := p.Now()
	if token.IssuedAt.After(now.Add(clockSkew)) {
		return refused("the logout token is from the future")
	}
	for _, identifier := range []string{token.Subject, token.SessionID} {
		if identifier != "" && !isIdentifier(identifier) {
			return refused("sub or sid of the logout token is too long or has control characters")
		}
	}
	id := "logout token " + p.Issuer + " " + token.TokenID
	used, err := h.Store.WasUsed(ctx, id, token.IssuedAt, token.Expiry, now)
	if err != nil {
		return err
	}
	if used {
		return refused("the jti was used before")
	}
	selector := storage.UpstreamSelector{Issuer: p.Issuer, Subject: token.Subject, SID: token.SessionID}
	if err := h.end(ctx, r, p, selector); err != nil {
		return err
	}
	expires := token.Expiry.Add(time.Minute)
	err = h.Store.MarkUsed(ctx, id, token.IssuedAt, expires, now)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return nil // a concurrent request with the same token has ended the sessions too
	}
	return err
}

// end ends the sessions that began with a session or account of an upstream, and notifies their clients.
func (h *Handler) end(ctx context.Context, r *http.Request, p *Provider, selector storage.UpstreamSelector) error {
	_, err := h.Terminator.End(ctx, storage.EndRequest{
		Selector: storage.Selector{Upstream: selector},
		Cause: storage.Cause{
			Reason:  storage.ReasonUpstreamLogout,
			By:      "upstream:" + p.ID,
			Address: h.Site.ClientAddress(r),
		},
	})
	return err
}

// FrontchannelLogout handles GET /upstream/{upstream}/frontchannel_logout, which the upstream loads in an iframe
// (Front-Channel Logout 1.0 §2). The browser sends no session cookie there, so iss and sid must name the session.
func (h *Handler) FrontchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // §2
	p := h.Upstreams.Find(r.PathValue("upstream"))
	q := r.URL.Query()
	if p == nil || q.Get("iss") != p.Issuer || !isIdentifier(q.Get("sid")) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	selector := storage.UpstreamSelector{Issuer: p.Issuer, SID: q.Get("sid")}
	if err := h.end(r.Context(), r, p, selector); err != nil {
		h.log(r, p, slog.LevelError, "logout by an upstream failed", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) log(r *http.Request, p *Provider, level slog.Level, message string, err error) {
	h.Site.Logger().Log(r.Context(), level, message, "upstream", p.ID, "err", err)
}

// LogoutURL returns the URL that ends the upstream's own session in the browser (RP-Initiated Logout 1.0 §2). The
// upstream then redirects to SignedOutPath with state. LogoutURL returns "" if the upstream has no such endpoint or
// does not answer.
func (p *Provider) LogoutURL(ctx context.Context, session storage.UpstreamSession, state string) string {
	m, err := p.metadata(ctx)
	if err != nil || !isWebURL(m.EndSessionEndpoint) {
		return ""
	}
	q := url.Values{
		"client_id":                {p.ClientID},
		"post_logout_redirect_uri": {p.url(SignedOutPath)},
		"state":                    {state},
	}
	if hint, err := p.Keys.UnwrapIDToken(session.Issuer, session.Subject, session.IDToken); err == nil {
		q.Set("id_token_hint", string(hint))
	}
	return withQuery(m.EndSessionEndpoint, q)
}
