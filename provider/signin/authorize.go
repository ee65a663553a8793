package signin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Authorize is /authorize, GET and POST (Core §3.1.2.1).
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) {
	if h.repost(w, r) {
		return
	}
	req, err := h.parse(r)
	if err != nil {
		h.answerError(w, r, &req, err)
		return
	}
	session, ok, err := h.Site.Session(r)
	if err != nil {
		h.answerError(w, r, &req, err)
		return
	}
	if !ok {
		h.proceed(w, r, &req, nil)
		return
	}
	h.proceed(w, r, &req, &session)
}

// repost answers a POST from another site, which came without the session cookie (SameSite=Lax), by a page of ours that posts the same
// again: that one brings the cookie.
func (h *Handler) repost(w http.ResponseWriter, r *http.Request) bool {
	fetchSite := r.Header.Get("Sec-Fetch-Site")
	if r.Method != http.MethodPost || fetchSite == "" || fetchSite == "same-origin" || fetchSite == "none" || h.Site.HasSessionCookie(r) {
		return false
	}
	values, err := web.Params(r)
	if values == nil {
		h.Site.RenderError(w, r, web.PageErrorFrom(err))
		return true
	}
	page := templates.RepostPage{Page: h.Site.Page(r), Action: h.Site.Path("/authorize")}
	for name, repeated := range values {
		for _, v := range repeated { // repeated ones too: they are judged where every request is
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: v})
		}
	}
	slices.SortFunc(page.Fields, func(a, b templates.Field) int { return cmp.Compare(a.Name, b.Name) })
	web.PageHeaders(w, web.PagePolicy{HasForms: true})
	h.Site.LogRenderError(r, templates.Repost(w, page))
	return true
}

// proceed does the next step that a good request needs: sign in, choose, confirm, consent, or finish. session is nil if nobody is
// signed in. It is called again after each step.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request, req *authRequest, session *storage.Session) {
	silent := req.hasPrompt("none")
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		h.answerError(w, r, req, err)
	case step == stepFinish:
		h.finish(w, r, req, session)
	case silent && step == stepConsent:
		h.answerError(w, r, req, oauthError("consent_required", "the person has not allowed this yet"))
	case silent && step == stepConfirmSignIn:
		h.answerError(w, r, req, oauthError("interaction_required", "the person has just signed out of this application"))
	case silent:
		h.answerError(w, r, req, oauthError("login_required", "the person has to sign in"))
	case step == stepConsent:
		req.ConsentSession = session.ID
		h.redirectToInteraction(w, r, req, purposeConsent, "/consent/")
	default:
		h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
	}
}

type step int

const (
	stepFinish         step = iota
	stepSignIn              // user name and password
	stepReauthenticate      // the password of a given account
	stepSelectAccount       // which account
	stepConfirmSignIn       // "you just signed out"
	stepConsent
)

// nextStep says what the request needs before it can be answered.
func (h *Handler) nextStep(r *http.Request, req *authRequest, session *storage.Session) (step, error) {
	switch {
	case session == nil || req.UseOtherAccount:
		return stepSignIn, nil
	case req.hasPrompt("select_account") && !req.AccountSelected && session.AuthTime.UnixMilli() < req.ReceivedAt:
		return stepSelectAccount, nil
	case req.needsReauthentication(session.AuthTime):
		return stepReauthenticate, nil
	}
	if req.clientRecord == nil {
		return stepFinish, nil
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.Disabled {
		return stepSignIn, nil
	}
	if err != nil {
		return 0, err
	}
	if req.HintSubject != "" && req.HintSubject != h.Minter.SubjectFor(user.Subject, req.clientRecord) {
		return stepSignIn, nil // Core §3.1.2.1: not the person that the hint names
	}
	if h.Site.HasRecentSignOut(r, req.ClientID, session.AuthTime) && !req.SignInConfirmed {
		return stepConfirmSignIn, nil
	}
	if req.ConsentGiven && req.ConsentSession == session.ID { // not for somebody else, who signed in on the way
		return stepFinish, nil
	}
	if req.hasPrompt("consent") {
		return stepConsent, nil
	}
	if req.clientRecord.SkipsConsent() {
		return stepFinish, nil
	}
	consent, err := h.Store.Consent(r.Context(), session.Subject, req.ClientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	if err != nil || !req.coveredBy(consent) || req.clientRecord.RequiresConsentEachTime(req.RedirectURI) {
		return stepConsent, nil
	}
	return stepFinish, nil
}

// redirectToInteraction seals the request for this browser and leads it to the page.
func (h *Handler) redirectToInteraction(w http.ResponseWriter, r *http.Request, req *authRequest, purpose, path string) {
	interactionID, err := h.Site.SealInteraction(w, r, purpose, req.interaction, h.Lifetimes.Interaction)
	if errors.Is(err, web.ErrInteractionSize) {
		err = oauthError("invalid_request", "the request is too large: state, nonce, claims and redirect_uri together may have about 2000 characters")
	}
	if err != nil {
		h.answerError(w, r, req, err)
		return
	}
	web.Redirect(w, h.Site.Path(path+interactionID))
}

// openInteraction opens the handle in the path and finds the client again, as it is now.
func (h *Handler) openInteraction(r *http.Request, purpose string) (*authRequest, error) {
	var req authRequest
	if _, err := h.Site.OpenInteraction(r, purpose, r.PathValue("interaction"), &req.interaction); err != nil {
		return nil, err
	}
	if req.ClientID == "" {
		return &req, nil
	}
	client, err := h.enabledClient(r.Context(), req.ClientID)
	if err != nil {
		return nil, err
	}
	if !redirectURIRegistered(client, req.RedirectURI) {
		return nil, newPageError("The redirect_uri is no longer registered for this application.", "")
	}
	req.clientRecord, req.redirectURIVerified = client, true
	if !req.responseTypeRegistered() || req.hasResponseType("code") && req.CodeChallenge == "" && client.RequiresPKCE() {
		return nil, newPageError("This application may no longer ask in this way.", "Go back to the application and start again.")
	}
	return &req, nil
}
