package account

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposePasskey = "passkey"

// pendingPasskey is a passkey that is being set up. The form carries it, sealed.
type pendingPasskey struct {
	Session storage.SessionID `json:"s"`
	State   json.RawMessage   `json:"c"` // the challenge
}

// ShowEnrolPasskey handles GET /account/factors/passkey.
func (h *Handler) ShowEnrolPasskey(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireFresh(w, r)
	if !ok {
		return err
	}
	return h.renderEnrolPasskey(w, r, v, templates.Problem{})
}

func (h *Handler) renderEnrolPasskey(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	problem templates.Problem,
) error {
	options, state, err := h.Passkeys.BeginRegistration(r.Context(), v.user, h.Site.Now())
	if err != nil {
		return err
	}
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	pending := pendingPasskey{Session: v.session.ID, State: raw}
	interactionID, err := h.Site.SealInteraction(w, r, purposePasskey, pending, freshFor)
	if err != nil {
		return err
	}
	device := templates.ParseDevice(r.UserAgent())
	page := templates.EnrolPasskeyPage{
		Page: h.Site.Page(r),
		Request: templates.PasskeyRequest{
			Action:      h.Site.Path(pathFactors + "/passkey"),
			Interaction: interactionID,
			Options:     options,
		},
		Name:       strings.TrimSpace(device.Browser + " " + device.System),
		EndsOthers: true,
		Problem:    problem,
		CancelURL:  h.Site.Path(pathFactors),
	}
	page.Account = accountName(v.user)
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.EnrolPasskey(w, page))
	return nil
}

// EnrolPasskey handles POST /account/factors/passkey.
func (h *Handler) EnrolPasskey(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireFresh(w, r)
	if !ok {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var pending pendingPasskey
	_, err = h.Site.OpenInteraction(r, purposePasskey, form.Get("interaction"), &pending)
	if err != nil || pending.Session != v.session.ID {
		return h.pageExpired()
	}
	event := h.factorEvent(r, v, authn.EventFactorAdded, "passkey")
	attempt := authn.Attempt{Form: form, User: &v.user, State: pending.State, At: h.Site.Now()}
	passkey, err := h.Passkeys.Register(r.Context(), attempt)
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.Site.Logger().InfoContext(r.Context(), "enrolment refused", "reason", refusal.Reason, "sub", refusal.Subject)
		return h.renderEnrolPasskey(w, r, v, refusal.Problem)
	}
	if err != nil {
		return err
	}
	err = h.changeFactors(r, v, form, event, templates.MailFactorAdded, func(f *storage.Factors) error {
		return authn.AddPasskey(f, passkey)
	})
	if errors.Is(err, authn.ErrTooManyPasskeys) {
		return h.renderEnrolPasskey(w, r, v, templates.Problem{Fault: templates.TooManyPasskeys})
	}
	if err != nil {
		return err
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeFactorAdded)
	return nil
}

// RenamePasskey handles POST /account/factors/name.
func (h *Handler) RenamePasskey(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireFreshForm(w, r)
	if !ok {
		return err
	}
	encodedID := strings.TrimPrefix(form.Get("rename"), passkeyPrefix)
	id, err := base64.RawURLEncoding.DecodeString(encodedID)
	if err != nil {
		return h.pageExpired()
	}
	address := h.Site.ClientAddress(r)
	event := authn.FactorEvent(h.Site.Now(), authn.EventFactorRenamed, v.user.Subject, address, "passkey")
	rename := func(f *storage.Factors) error { return authn.Rename(f, id, form.Get("name")) }
	err = h.Store.ChangeFactors(r.Context(), v.user.Subject, rename, event)
	if errors.Is(err, storage.ErrNotFound) {
		return h.pageExpired()
	}
	if err != nil {
		return err
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeFactorRenamed)
	return nil
}
