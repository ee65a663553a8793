package signin

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// finish answers the application. Everything was checked again on the way here: next read session, user and consent, and reopen or parse
// the client and its redirect URI. A session that ends from here on is refused when the code is redeemed.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, p *parsed, session *storage.Session) {
	if p.client == nil {
		web.Redirect(w, h.Site.Path(p.Return))
		return
	}
	now := h.Site.Now()
	// Redeeming the code notes that the session was used, in the same commit. Only a session that could end before that is noted here.
	if session.Deadline().Before(now.Add(h.Minter.Lifetimes.Code)) {
		if err := h.Store.Touch(r.Context(), session.ID, now); err != nil {
			h.answer(w, r, p, err)
			return
		}
	}
	code := h.Minter.NewCode(tokens.Code{Client: p.Client, Redirect: storage.HashOf(p.RedirectURI), Challenge: p.Challenge, Nonce: p.Nonce,
		Scope: p.Scope, Claims: p.Claims, Session: session.ID, Subject: session.Subject}, now)
	var params parameters
	if p.wants("code") {
		text, err := h.Minter.SealCode(code)
		if errors.Is(err, tokens.ErrCodeSize) {
			err = refuse("invalid_request", err.Error())
		}
		if err != nil {
			h.answer(w, r, p, err)
			return
		}
		params.add("code", text)
	}
	if p.frontTokens() {
		if err := h.join(r, p, session, code, &params); err != nil {
			h.answer(w, r, p, err)
			return
		}
	}
	h.respond(w, r, &p.request, p.client, params)
}
