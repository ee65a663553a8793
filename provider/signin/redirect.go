package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// RedirectToSignIn redirects to the sign-in page, which leads back to path, one of our own pages. path never comes
// from a parameter.
func (h *Handler) RedirectToSignIn(w http.ResponseWriter, r *http.Request, path string) error {
	return h.redirectToOwnPage(w, r, interaction{ReturnPath: path})
}

// RedirectToSignInAgain is RedirectToSignIn for a user who is signed in and has to prove it again.
func (h *Handler) RedirectToSignInAgain(w http.ResponseWriter, r *http.Request, path string) error {
	return h.redirectToOwnPage(w, r, interaction{ReturnPath: path, Prompt: []string{"login"}})
}

func (h *Handler) redirectToOwnPage(w http.ResponseWriter, r *http.Request, req interaction) error {
	req.ReceivedAt = h.Site.Now().UnixMilli()
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, req, interactionLifetime)
	if err != nil {
		return err
	}
	web.Redirect(w, h.Site.Path("/login/"+interactionID))
	return nil
}
