package account

import (
	"errors"
	"net/http"

	"github.com/pquerna/otp"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposeTOTP = "totp"

// pendingTOTP is an authenticator app that is being set up. The form carries it, sealed. The app is stored only after a
// correct code.
type pendingTOTP struct {
	Session storage.SessionID `json:"s"`
	URL     string            `json:"u"` // otpauth://…
}

// ShowEnrolTOTP handles GET /account/factors/totp.
func (h *Handler) ShowEnrolTOTP(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireFresh(w, r)
	if !ok {
		return err
	}
	key, err := h.TOTP.NewSecret(v.user)
	if err != nil {
		return err
	}
	return h.renderEnrolTOTP(w, r, v, key, templates.Problem{})
}

func (h *Handler) renderEnrolTOTP(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	key *otp.Key,
	problem templates.Problem,
) error {
	pending := pendingTOTP{Session: v.session.ID, URL: key.URL()}
	interactionID, err := h.Site.SealInteraction(w, r, purposeTOTP, pending, freshFor)
	if err != nil {
		return err
	}
	page := templates.EnrolTOTPPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(pathFactors + "/totp"),
		Interaction: interactionID,
		URL:         key.URL(),
		Secret:      key.Secret(),
		EndsOthers:  true,
		Problem:     problem,
		CancelURL:   h.Site.Path(pathFactors),
	}
	page.Account = accountName(v.user)
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.EnrolTOTP(w, page))
	return nil
}

// EnrolTOTP handles POST /account/factors/totp. It stores the app if the code is correct.
func (h *Handler) EnrolTOTP(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireFresh(w, r)
	if !ok {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var pending pendingTOTP
	_, err = h.Site.OpenInteraction(r, purposeTOTP, form.Get("interaction"), &pending)
	if err != nil || pending.Session != v.session.ID {
		return h.pageExpired()
	}
	key, err := otp.NewKeyFromURL(pending.URL)
	if err != nil {
		return h.pageExpired()
	}
	event := h.factorEvent(r, v, authn.EventFactorAdded, "totp")
	app, err := h.TOTP.Enrol(v.user.Subject, key.Secret(), form.Get(authn.FieldCode), h.Site.Now())
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.Site.Logger().InfoContext(r.Context(), "enrolment refused", "reason", refusal.Reason, "sub", refusal.Subject)
		return h.renderEnrolTOTP(w, r, v, key, refusal.Problem)
	}
	if err != nil {
		return err
	}
	var codes []string
	err = h.changeFactors(r, v, form, event, templates.MailFactorAdded, func(f *storage.Factors) error {
		f.TOTP = app
		if len(f.RecoveryCodes) == 0 {
			codes = h.RecoveryCodes.Replace(f, h.Site.Now())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(codes) > 0 {
		h.renderRecoveryCodes(w, r, codes)
		return nil
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeFactorAdded)
	return nil
}

// pageExpired returns the error for a form that has expired or belongs to another browser or session.
func (h *Handler) pageExpired() error {
	return web.PageError{
		Text:    templates.ErrorAccountPageExpired,
		LinkURL: h.Site.Path("/account"),
		Link:    templates.LinkAccount,
	}
}
