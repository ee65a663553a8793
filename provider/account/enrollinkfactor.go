package account

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/pquerna/otp"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// linkedTOTP is an authenticator app that is being set up by an enrolment link. The form carries it, sealed.
type linkedTOTP struct {
	Link storage.Hash `json:"l"`
	URL  string       `json:"u"` // otpauth://…
}

// linkedPasskey is a passkey that is being set up by an enrolment link. The form carries it, sealed.
type linkedPasskey struct {
	Link  storage.Hash    `json:"l"`
	State json.RawMessage `json:"c"` // the challenge
}

// ShowLinkTOTP handles GET /enrol/{link}/totp/{interaction}.
func (h *Handler) ShowLinkTOTP(w http.ResponseWriter, r *http.Request) error {
	user, err := h.openEnrolment(r)
	if err != nil {
		return err
	}
	key, err := h.TOTP.NewSecret(user)
	if err != nil {
		return err
	}
	return h.renderLinkTOTP(w, r, user, key, templates.Problem{})
}

func (h *Handler) renderLinkTOTP(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	key *otp.Key,
	problem templates.Problem,
) error {
	pending := linkedTOTP{Link: storage.HashOf(r.PathValue("link")), URL: key.URL()}
	interactionID, err := h.Site.SealInteraction(w, r, purposeTOTP, pending, freshFor)
	if err != nil {
		return err
	}
	page := templates.EnrolTOTPPage{
		Page:        h.Site.Page(r),
		Action:      h.Site.Path(r.URL.EscapedPath()),
		Interaction: interactionID,
		URL:         key.URL(),
		Secret:      key.Secret(),
		EndsAll:     true,
		Problem:     problem,
	}
	page.Account = accountName(user)
	if h.Passkeys != nil {
		page.OtherMethods = h.otherEnrolMethod(r, authn.EnrolPasskey{}.Label(), pathEnrolPasskey)
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.writeProblemStatus(w, problem)
	h.Site.LogRenderError(r, templates.EnrolTOTP(w, page))
	return nil
}

// otherEnrolMethod returns the link to the page of the other factor.
func (h *Handler) otherEnrolMethod(r *http.Request, label, step string) []templates.SignInMethod {
	path := PathEnrol + r.PathValue("link") + step + r.PathValue("interaction")
	return []templates.SignInMethod{{Label: label, URL: h.Site.Path(path)}}
}

// LinkTOTP handles POST /enrol/{link}/totp/{interaction}. It stores the app if the code is correct.
func (h *Handler) LinkTOTP(w http.ResponseWriter, r *http.Request) error {
	user, err := h.openEnrolment(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var pending linkedTOTP
	_, err = h.Site.OpenInteraction(r, purposeTOTP, form.Get("interaction"), &pending)
	if err != nil || pending.Link != storage.HashOf(r.PathValue("link")) {
		return h.enrolPageExpired(r)
	}
	key, err := otp.NewKeyFromURL(pending.URL)
	if err != nil {
		return h.enrolPageExpired(r)
	}
	event := h.enrolEvent(r, user, "totp")
	app, err := h.TOTP.Enrol(user.Subject, key.Secret(), form.Get(authn.FieldCode), h.Site.Now())
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.logRefusedEnrolment(r, refusal)
		return h.renderLinkTOTP(w, r, user, key, refusal.Problem)
	}
	if err != nil {
		return err
	}
	return h.finishEnrol(w, r, user, event, func(f *storage.Factors) error {
		f.TOTP = app
		return nil
	})
}

func (h *Handler) logRefusedEnrolment(r *http.Request, refusal *authn.Refusal) {
	h.Site.Logger().InfoContext(r.Context(), "enrolment refused", "reason", refusal.Reason, "sub", refusal.Subject)
}

// ShowLinkPasskey handles GET /enrol/{link}/passkey/{interaction}.
func (h *Handler) ShowLinkPasskey(w http.ResponseWriter, r *http.Request) error {
	user, err := h.openEnrolment(r)
	if err != nil {
		return err
	}
	return h.renderLinkPasskey(w, r, user, templates.Problem{})
}

func (h *Handler) renderLinkPasskey(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	problem templates.Problem,
) error {
	options, state, err := h.Passkeys.BeginRegistration(r.Context(), user, h.Site.Now())
	if err != nil {
		return err
	}
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	pending := linkedPasskey{Link: storage.HashOf(r.PathValue("link")), State: raw}
	interactionID, err := h.Site.SealInteraction(w, r, purposePasskey, pending, freshFor)
	if err != nil {
		return err
	}
	device := templates.ParseDevice(r.UserAgent())
	page := templates.EnrolPasskeyPage{
		Page: h.Site.Page(r),
		Request: templates.PasskeyRequest{
			Action:      h.Site.Path(r.URL.EscapedPath()),
			Interaction: interactionID,
			Options:     options,
		},
		Name:    strings.TrimSpace(device.Browser + " " + device.System),
		EndsAll: true,
		Problem: problem,
	}
	page.Account = accountName(user)
	if h.mayEnrolTOTP(user) {
		page.OtherMethods = h.otherEnrolMethod(r, authn.EnrolTOTP{}.Label(), pathEnrolTOTP)
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.writeProblemStatus(w, problem)
	h.Site.LogRenderError(r, templates.EnrolPasskey(w, page))
	return nil
}

// LinkPasskey handles POST /enrol/{link}/passkey/{interaction}.
func (h *Handler) LinkPasskey(w http.ResponseWriter, r *http.Request) error {
	user, err := h.openEnrolment(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var pending linkedPasskey
	_, err = h.Site.OpenInteraction(r, purposePasskey, form.Get("interaction"), &pending)
	if err != nil || pending.Link != storage.HashOf(r.PathValue("link")) {
		return h.enrolPageExpired(r)
	}
	event := h.enrolEvent(r, user, "passkey")
	attempt := authn.Attempt{Form: form, User: &user, State: pending.State, At: h.Site.Now()}
	passkey, err := h.Passkeys.Register(r.Context(), attempt)
	if refusal, ok := errors.AsType[*authn.Refusal](err); ok {
		h.logRefusedEnrolment(r, refusal)
		return h.renderLinkPasskey(w, r, user, refusal.Problem)
	}
	if err != nil {
		return err
	}
	err = h.finishEnrol(w, r, user, event, func(f *storage.Factors) error {
		return authn.AddPasskey(f, passkey)
	})
	if errors.Is(err, authn.ErrTooManyPasskeys) {
		return h.renderLinkPasskey(w, r, user, templates.Problem{Fault: templates.TooManyPasskeys})
	}
	return err
}
