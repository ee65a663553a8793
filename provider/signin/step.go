package signin

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// proceed performs the next step of a valid request: sign in, choose the account, confirm, consent, or finish.
// session is nil if the browser is not signed in. When a page completes a step, its handler calls proceed again.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request, req *authRequest, session *storage.Session) error {
	promptNone := req.hasPrompt("none")
	refuse := func(code, description string) error {
		return h.answerError(w, r, req, oauthError("prompt", code, description))
	}
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		return h.answerError(w, r, req, err)
	case step == stepRefuse && promptNone:
		return h.answerError(w, r, req, notAdmitted())
	case step == stepRefuse:
		return h.notAdmittedPage(w, r, req)
	case step == stepFinish:
		return h.finish(w, r, req, session)
	case promptNone && step == stepConsent:
		return refuse("consent_required", "the user has not given consent")
	case promptNone && step == stepConfirmSignIn:
		return refuse("interaction_required", "the user has just signed out of this client")
	case promptNone:
		return refuse("login_required", "the user has to sign in")
	case step == stepConsent:
		req.ConsentSession = session.ID
		return h.redirectToInteraction(w, r, req, purposeConsent, "/consent/")
	default:
		return h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
	}
}

// step is the next step of a request.
type step int

const (
	stepFinish         step = iota // send the response to the client
	stepSignIn                     // any user signs in
	stepReauthenticate             // the user of the session signs in again
	stepSecondFactor               // the user proves a second factor, or sets it up
	stepSelectAccount              // the user confirms the account of the session (prompt=select_account)
	stepConfirmSignIn              // the user has just signed out of this client and confirms signing in again
	stepRefuse                     // the client does not admit the user (admit_groups)
	stepConsent                    // the user decides what the client gets
)

// nextStep returns the first step that the request still needs.
func (h *Handler) nextStep(r *http.Request, req *authRequest, session *storage.Session) (step, error) {
	if (session == nil || req.UseOtherAccount) && h.pending(req) != nil {
		return stepSecondFactor, nil
	}
	if session == nil || req.UseOtherAccount {
		return stepSignIn, nil
	}
	selectedAccount := req.AccountSelected || session.AuthTime.UnixMilli() >= req.ReceivedAt
	switch {
	case req.hasPrompt("select_account") && !selectedAccount:
		return stepSelectAccount, nil
	case req.needsReauthentication(session.AuthTime) && h.pending(req) != nil:
		return stepSecondFactor, nil
	case req.needsReauthentication(session.AuthTime):
		return stepReauthenticate, nil
	}
	if req.clientRecord == nil { // the user goes to one of Curfew's own pages, which need no consent
		return h.nextStepToOwnPage(r, req, session)
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		return stepSignIn, nil
	}
	if err != nil {
		return 0, err
	}
	if user.Disabled {
		return stepSignIn, nil
	}
	if !h.isRequestedUser(req, user) { // Core §3.1.2.1
		return stepSignIn, nil
	}
	if !req.clientRecord.Admits(user) {
		return stepRefuse, nil
	}
	req.granted = h.Minter.APIScopes.AllowedToUser(user, req.Scope)
	if step, err := h.secondFactorOr(r, req, session, user, stepFinish); err != nil || step == stepSecondFactor {
		return step, err
	}
	if h.Site.HasRecentSignOut(r, req.ClientID, session.AuthTime) && !req.SignInConfirmed {
		return stepConfirmSignIn, nil
	}
	if req.ConsentGiven && req.ConsentSession == session.ID { // consent of another session's user does not count
		return stepFinish, nil
	}
	if req.hasPrompt("consent") {
		return stepConsent, nil
	}
	if req.clientRecord.SkipsConsent() {
		return stepFinish, nil
	}
	consent, err := h.Store.Consent(r.Context(), session.Subject, req.ClientID)
	if errors.Is(err, storage.ErrNotFound) {
		return stepConsent, nil
	}
	if err != nil {
		return 0, err
	}
	isCovered := req.coveredBy(consent, h.Site.App(req.clientRecord, req.RedirectURI))
	if !isCovered || req.clientRecord.RequiresConsentEachTime(req.RedirectURI) {
		return stepConsent, nil
	}
	return stepFinish, nil
}

// nextStepToOwnPage returns the next step of a user who is signed in and goes to one of Curfew's own pages. It reads
// the user only if a group can require more than the deployment does.
func (h *Handler) nextStepToOwnPage(r *http.Request, req *authRequest, session *storage.Session) (step, error) {
	user := storage.User{Subject: session.Subject}
	if len(h.Policy.RequireGroups) > 0 {
		var err error
		user, err = h.Store.User(r.Context(), session.Subject)
		if errors.Is(err, storage.ErrNotFound) {
			return stepSignIn, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return h.secondFactorOr(r, req, session, user, stepFinish)
}

// secondFactorOr returns stepSecondFactor if the authentication of the session is too weak for the request. If not, it
// returns the step otherwise.
func (h *Handler) secondFactorOr(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	user storage.User,
	otherwise step,
) (step, error) {
	missing, err := h.missingACR(r.Context(), req, session, user)
	if err != nil || missing == "" {
		return otherwise, err
	}
	return stepSecondFactor, nil
}
