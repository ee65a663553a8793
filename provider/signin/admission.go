package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// notAdmitted returns the error response for a user whom the client does not admit (RFC 6749 §4.1.2.1).
func notAdmitted() error {
	return oauthError("admit_groups", "access_denied", "the user is in none of the groups that this client admits")
}

// notAdmittedPage returns the page for a user whom the client does not admit. The page shows a contact of the client,
// if it has one, a link to sign in with another account, and a link that returns to the client with the error response.
func (h *Handler) notAdmittedPage(w http.ResponseWriter, r *http.Request, req *authRequest) error {
	otherAccountURL, err := h.otherAccountURL(w, r, req)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	client := req.clientRecord
	refusal := web.AuthorizationErrorFrom(notAdmitted())
	page := web.PageError{
		Status:  http.StatusForbidden,
		Text:    templates.ErrorNotAdmitted,
		Value:   h.Site.App(client, req.RedirectURI).Name,
		Reason:  refusal.Code + ": " + refusal.Description,
		Subject: web.Subject{Client: client.ClientID},

		OtherAccountURL: otherAccountURL,
	}
	if len(client.Contacts) > 0 {
		page.Contact = client.Contacts[0]
	}
	if req.ResponseMode != "form_post" { // that response is a form, not a link
		params := h.errorParams(refusal)
		params.add("state", req.State)
		params.add("iss", h.Site.Issuer)
		page.LinkURL = req.responseURL(params)
		page.Link = templates.LinkApp
	}
	return page
}
