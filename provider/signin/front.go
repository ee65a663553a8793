package signin

import (
	"net/http"
	"strconv"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// join gives what the authorization response itself carries (implicit and hybrid, Core §3.2, §3.3). The client joins the session in the
// transaction that stores it, before anything is sent.
func (h *Handler) join(r *http.Request, p *parsed, session *storage.Session, code tokens.Code, params *parameters) error {
	at := h.Site.Now()
	front := h.Minter.Front(p.client, code, p.ResponseType, at)
	joined, err := h.Store.Join(r.Context(), code.Record(), at, front.Issue)
	if err != nil {
		return err
	}
	var user *storage.User
	if front.WantsUser() {
		u, err := h.Store.User(r.Context(), session.Subject)
		if err != nil {
			return err
		}
		user = &u
	}
	given, err := front.Answer(joined, params.get("code"), user)
	if err != nil {
		return err
	}
	params.add("access_token", given.AccessToken)
	if given.AccessToken != "" {
		params.add("token_type", given.TokenType)
		params.add("expires_in", strconv.FormatInt(given.ExpiresIn, 10))
		params.add("scope", given.Scope)
	}
	params.add("id_token", given.IDToken)
	return nil
}
