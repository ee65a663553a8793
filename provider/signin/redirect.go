package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// RedirectToSignIn has the browser sign in and come back to one of our own pages. path is never taken from a request's parameters.
func (h *Handler) RedirectToSignIn(w http.ResponseWriter, r *http.Request, path string) {
	req := interaction{ReturnPath: path, ReceivedAt: h.Site.Now().UnixMilli()}
	interactionID, err := h.Site.SealInteraction(w, r, purposeLogin, req, h.Lifetimes.Interaction)
	if err != nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return
	}
	web.Redirect(w, h.Site.Path("/login/"+interactionID))
}
