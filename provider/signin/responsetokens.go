package signin

import (
	"net/http"
	"strconv"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// addResponseTokens adds the tokens of an implicit or hybrid response to params (Core §3.2, §3.3). The client joins the
// session in the transaction that stores the grant. No token is sent before that transaction is committed.
func (h *Handler) addResponseTokens(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	code tokens.Code,
	params *responseParams,
) error {
	now := h.Site.Now()
	responseTokens := h.Minter.NewAuthorizationTokens(req.clientRecord, code, req.ResponseType, now)
	result, err := h.Store.Join(r.Context(), code.Record(), now, responseTokens.Issue)
	if err != nil {
		return err
	}
	var user *storage.User
	if responseTokens.NeedsUser() {
		u, err := h.Store.User(r.Context(), session.Subject)
		if err != nil {
			return err
		}
		user = &u
	}
	response, err := responseTokens.Respond(result, params.get("code"), user)
	if err != nil {
		return err
	}
	params.add("access_token", response.AccessToken)
	if response.AccessToken != "" {
		params.add("token_type", response.TokenType)
		params.add("expires_in", strconv.FormatInt(response.ExpiresIn, 10))
		params.add("scope", response.Scope)
	}
	params.add("id_token", response.IDToken)
	return nil
}
