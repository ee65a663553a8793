package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// RedirectToSignIn redirects to the sign-in page. After the sign-in, the browser goes to path, one of Curfew's own
// pages. path must not come from a parameter.
func (h *Handler) RedirectToSignIn(w http.ResponseWriter, r *http.Request, path string) error {
	return h.redirectToOwnPage(w, r, interaction{ReturnPath: path})
}

// RedirectToSignInAgain is like RedirectToSignIn, but a user who is signed in must authenticate again.
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
