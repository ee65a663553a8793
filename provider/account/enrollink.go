package account

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// The paths of an enrolment link, with which a user who lost every factor sets up a new one. An administrator makes it.
const (
	PathEnrol        = "/enrol/"
	pathEnrolTOTP    = "/totp/"
	pathEnrolPasskey = "/passkey/"
)

const purposeEnrol = "enrol"

// enrolment shows that the user of an enrolment link gave the password. The path of the next page carries it, sealed.
type enrolment struct {
	Link     storage.Hash `json:"l"`
	Password storage.Hash `json:"p"` // hash of the stored password hash; a new password revokes the enrolment
}

// ShowEnrol handles GET /enrol/{link}. It asks for the password: a link alone must not add a factor to an account that
// has one. Only the last POST uses the link up.
func (h *Handler) ShowEnrol(w http.ResponseWriter, r *http.Request) error {
	user, err := h.enrolUser(r)
	if err != nil {
		return err
	}
	if user.Password == "" {
		return h.continueEnrol(w, r, user)
	}
	return h.renderEnrolPassword(w, r, user, templates.Problem{})
}

// Enrol handles POST /enrol/{link}, the form with the password.
func (h *Handler) Enrol(w http.ResponseWriter, r *http.Request) error {
	user, err := h.enrolUser(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var formSubject string // of the user for whom the form was shown
	_, err = h.Site.OpenInteraction(r, purposeEnrol, form.Get("interaction"), &formSubject)
	if err != nil || formSubject != user.Subject || user.Password == "" {
		return h.enrolPageExpired(r)
	}
	attempt := url.Values{"current-password": form[authn.FieldPassword]}
	_, problem, err := h.reauthenticate(r, viewer{user: user}, attempt)
	if err != nil {
		return err
	}
	if problem.Fault != "" {
		return h.renderEnrolPassword(w, r, user, problem)
	}
	return h.continueEnrol(w, r, user)
}

// enrolUser returns the user of an enrolment link.
func (h *Handler) enrolUser(r *http.Request) (storage.User, error) {
	errLinkInvalid := web.PageError{
		Status: http.StatusGone,
		Reason: "the enrolment link is unknown, used or expired, or its user is disabled or removed",
	}
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), h.Site.Now())
	if errors.Is(err, storage.ErrNotFound) || err == nil && link.Purpose != storage.LinkEnrol {
		return storage.User{}, errLinkInvalid
	}
	if err != nil {
		return storage.User{}, err
	}
	user, err := h.Store.User(r.Context(), link.Subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.Disabled {
		return storage.User{}, errLinkInvalid
	}
	return user, err
}

func (h *Handler) renderEnrolPassword(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	problem templates.Problem,
) error {
	interactionID, err := h.Site.SealInteraction(w, r, purposeEnrol, user.Subject, freshFor)
	if err != nil {
		return err
	}
	page := templates.SignInPage{
		Page:         h.Site.Page(r),
		Action:       h.Site.Path(r.URL.EscapedPath()),
		Interaction:  interactionID,
		Login:        user.Name,
		AccountFixed: true,
		Problem:      problem,
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.writeProblemStatus(w, problem)
	h.Site.LogRenderError(r, templates.SignIn(w, page))
	return nil
}

// writeProblemStatus writes 422 if the page shows a problem.
func (h *Handler) writeProblemStatus(w http.ResponseWriter, problem templates.Problem) {
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
}

// continueEnrol redirects to the page of the first factor that the user may set up.
func (h *Handler) continueEnrol(w http.ResponseWriter, r *http.Request, user storage.User) error {
	link := r.PathValue("link")
	proof := enrolment{Link: storage.HashOf(link), Password: storage.HashOf(user.Password)}
	interactionID, err := h.Site.SealInteraction(w, r, purposeEnrol, proof, freshFor)
	if err != nil {
		return err
	}
	step := pathEnrolTOTP
	if !h.mayEnrolTOTP(user) {
		step = pathEnrolPasskey
	}
	web.Redirect(w, h.Site.Path(PathEnrol+link+step+interactionID))
	return nil
}

// mayEnrolTOTP reports whether an authenticator app helps the user to sign in: it needs a password beside it, and a
// policy may require a passkey. Without passkeys there is nothing else.
func (h *Handler) mayEnrolTOTP(user storage.User) bool {
	needsPasskey := authn.RequiredACR(h.Authn.RequirementsOf(user)...) == authn.ACRPasskey
	return h.Passkeys == nil || user.Password != "" && !needsPasskey
}

// openEnrolment returns the user of a page that sets up a factor. The link must still be valid, and the password the
// one that was given.
func (h *Handler) openEnrolment(r *http.Request) (storage.User, error) {
	user, err := h.enrolUser(r)
	if err != nil {
		return user, err
	}
	var proof enrolment
	_, err = h.Site.OpenInteraction(r, purposeEnrol, r.PathValue("interaction"), &proof)
	isOfLink := proof.Link == storage.HashOf(r.PathValue("link"))
	if err != nil || !isOfLink || proof.Password != storage.HashOf(user.Password) {
		return user, h.enrolPageExpired(r)
	}
	return user, nil
}

// enrolPageExpired returns the error for a page that has expired or belongs to another browser. It links to the
// beginning.
func (h *Handler) enrolPageExpired(r *http.Request) error {
	return web.PageError{
		Text:    templates.ErrorAccountPageExpired,
		LinkURL: h.Site.Path(PathEnrol + url.PathEscape(r.PathValue("link"))),
		Link:    templates.LinkOpenAgain,
	}
}

// enrolEvent returns the audit event of the new factor. It is made before the factor: the link in the notice of the
// event removes what was added from then on.
func (h *Handler) enrolEvent(r *http.Request, user storage.User, factor string) storage.Event {
	event := h.factorEvent(r, viewer{user: user}, authn.EventFactorAdded, factor)
	event.Detail["by"] = "enrolment link"
	return event
}

// finishEnrol stores the new factor and new recovery codes, and shows the codes. The same transaction uses the link up,
// removes other links and remembered browsers, and ends all sessions and background access of the user: a lost device
// may be signed in.
func (h *Handler) finishEnrol(
	w http.ResponseWriter,
	r *http.Request,
	user storage.User,
	event storage.Event,
	change func(*storage.Factors) error,
) error {
	factors, err := h.Store.Factors(r.Context(), user.Subject)
	if err != nil {
		return err
	}
	if err := change(&factors); err != nil {
		return err
	}
	codes := h.RecoveryCodes.Replace(&factors, h.Site.Now())
	if err := h.notify(r, &event, user, templates.MailFactorAdded, event.Detail["factor"]); err != nil {
		return err
	}
	request := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause: storage.Cause{
			Reason:  storage.ReasonFactorChange,
			By:      "user:" + user.Subject,
			Address: event.Address,
		},
		Change: storage.Change{
			Factors: &factors,
			UseLink: storage.HashOf(r.PathValue("link")),
			Events:  []storage.Event{event},
		},
	}
	const keepOffline = false
	request.SecureUser(user.Subject, keepOffline)
	if _, err := h.Terminator.End(r.Context(), request); err != nil {
		return err
	}
	h.renderRecoveryCodes(w, r, codes)
	return nil
}
