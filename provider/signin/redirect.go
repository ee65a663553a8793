package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// RedirectToSignIn sends the browser to sign in and then to path, one of our own pages. path never comes from a
// parameter.
func (h *Handler) RedirectToSignIn(w http.ResponseWriter, r *http.Request, path string) error {
	req := interaction{ReturnPath: path, ReceivedAt: h.Site.Now().UnixMilli()}
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, req, interactionLifetime)
	if err != nil {
		return err
	}
	web.Redirect(w, h.Site.Path("/login/"+interactionID))
	return nil
}
