package signin

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
)

// ToSelf has the browser sign in and come back to one of our own pages. path is never taken from a request's parameters.
func (h *Handler) ToSelf(w http.ResponseWriter, r *http.Request, path string) {
	q := request{Return: path, Since: h.Site.Now().UnixMilli()}
	handle, err := h.Site.Handle(w, r, purposeLogin, q, h.Lifetimes.Interaction)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	web.Redirect(w, h.Site.Path("/login/"+handle))
}
