package signin

import (
	"errors"
	"net/http"
	"strings"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// finish sends the response to the client. nextStep has just read the session, the user and the consent; parse or
// openInteraction has read the client. If the session ends after this point, the token endpoint refuses the code.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, req *authRequest, session *storage.Session) error {
	if req.clientRecord == nil { // the user goes to one of Curfew's own pages
		web.Redirect(w, h.Site.Path(req.ReturnPath))
		return nil
	}
	if notGranted := missingFrom(req.granted, req.Scope); len(notGranted) > 0 {
		h.Site.Logger().InfoContext(r.Context(), "scope not granted",
			"client", req.ClientID,
			"sub", session.Subject,
			"scope", strings.Join(notGranted, " "),
			"reason", "the user is in none of the groups that may grant it")
	}
	now := h.Site.Now()
	// Redeeming the code extends the session. A session that could expire before then is extended now.
	if session.Deadline().Before(now.Add(h.Minter.Lifetimes.Code)) {
		if err := h.Store.Touch(r.Context(), session.ID, now); err != nil {
			return h.answerError(w, r, req, err)
		}
	}
	code := h.Minter.NewCode(tokens.Code{
		Client:          req.ClientID,
		RedirectURIHash: storage.HashOf(req.RedirectURI),
		CodeChallenge:   req.CodeChallenge,
		Nonce:           req.Nonce,
		Scope:           req.granted,
		Claims:          req.Claims,
		Session:         session.ID,
		Subject:         session.Subject,
		Sequence:        req.sequence,
	}, now)
	var params responseParams
	if req.hasResponseType("code") {
		sealedCode, err := h.Minter.SealCode(code)
		if errors.Is(err, tokens.ErrCodeTooLong) {
			err = oauthError("claims", "invalid_request", err.Error())
		}
		if err != nil {
			return h.answerError(w, r, req, err)
		}
		params.add("code", sealedCode)
	}
	if req.responseCarriesTokens() {
		if err := h.addResponseTokens(r, req, session, code, &params); err != nil {
			return h.answerError(w, r, req, err)
		}
	}
	h.respond(w, r, &req.interaction, req.clientRecord, params)
	return nil
}
