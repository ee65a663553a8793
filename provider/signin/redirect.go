package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// RedirectToSignIn sends the browser to the sign-in page and, after the sign-in, to path, one of Curfew's own pages. To
// prevent open redirects, callers must not take path from a parameter.
func (h *Handler) RedirectToSignIn(w http.ResponseWriter, r *http.Request, path string) error {
	req := interaction{ReturnPath: path, ReceivedAt: h.Site.Now().UnixMilli()}
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, req, interactionLifetime)
	if err != nil {
		return err
	}
	web.Redirect(w, h.Site.Path("/login/"+interactionID))
	return nil
}
