package account

import (
	"errors"
	"net/http"
	"strings"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PathForgot is the page on which a user asks for a reset link by mail.
const PathForgot = "/forgot"

// maxLoginLength is the longest login that is looked up, in bytes.
const maxLoginLength = 320

// ShowForgot handles GET /forgot.
func (h *Handler) ShowForgot(w http.ResponseWriter, r *http.Request) error {
	return h.renderForgot(w, r, templates.ForgotPage{})
}

// Forgot handles POST /forgot. It counts the request and passes it on to ResetMails, which finds the user after the
// answer: neither the answer nor its time shows whether the user exists.
func (h *Handler) Forgot(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	login := strings.TrimSpace(form.Get("login"))
	if login == "" || len(login) > maxLoginLength {
		return h.renderForgot(w, r, templates.ForgotPage{Problem: templates.Problem{Fault: templates.LoginMissing}})
	}
	origin := authn.Origin{Address: h.Site.ClientAddress(r)}
	err = h.Limiter.Allow(r.Context(), h.Site.Now(), "reset mail\x00"+storage.LoginNameKey(login), origin)
	var tooMany *authn.TooManyAttemptsError
	if errors.As(err, &tooMany) {
		return web.PageError{
			Status:     http.StatusTooManyRequests,
			Reason:     "too many requests for reset links",
			RetryAfter: tooMany.Wait,
		}
	}
	if err != nil {
		return err
	}
	if !h.ResetMails.Request(login) {
		return web.PageError{Status: http.StatusServiceUnavailable, Reason: "too many requests for reset links wait"}
	}
	return h.renderForgot(w, r, templates.ForgotPage{Sent: true})
}

func (h *Handler) renderForgot(w http.ResponseWriter, r *http.Request, page templates.ForgotPage) error {
	page.Page = h.Site.Page(r)
	page.Action = h.Site.Path(PathForgot)
	page.SignInURL = h.Site.Path("/account")
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if page.Problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.Forgot(w, page))
	return nil
}
