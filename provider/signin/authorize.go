package signin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Authorize is /authorize, GET and POST (Core §3.1.2.1).
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) {
	if h.repost(w, r) {
		return
	}
	p, err := h.parse(r)
	if err != nil {
		h.answer(w, r, &p, err)
		return
	}
	session, ok, err := h.Site.Session(r)
	if err != nil {
		h.answer(w, r, &p, err)
		return
	}
	if !ok {
		h.proceed(w, r, &p, nil)
		return
	}
	h.proceed(w, r, &p, &session)
}

// repost answers a POST from another site, which came without the session cookie (SameSite=Lax), by a page of ours that posts the same
// again: that one brings the cookie.
func (h *Handler) repost(w http.ResponseWriter, r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if r.Method != http.MethodPost || site == "" || site == "same-origin" || site == "none" || h.Site.HasSessionCookie(r) {
		return false
	}
	values, err := web.Params(r)
	if values == nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return true
	}
	page := templates.RepostPage{Page: h.Site.Page(r), Action: h.Site.Path("/authorize")}
	for name, all := range values {
		for _, v := range all { // repeated ones too: they are judged where every request is
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: v})
		}
	}
	slices.SortFunc(page.Fields, func(a, b templates.Field) int { return cmp.Compare(a.Name, b.Name) })
	web.PageHeaders(w, web.PagePolicy{Forms: true})
	h.Site.Render(r, templates.Repost(w, page))
	return true
}

// proceed does the next step that a good request needs: sign in, choose, confirm, consent, or finish. session is nil if nobody is
// signed in. It is called again after each step.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request, p *parsed, session *storage.Session) {
	silent := p.has("none")
	switch step, err := h.next(r, p, session); {
	case err != nil:
		h.answer(w, r, p, err)
	case step == stepFinish:
		h.finish(w, r, p, session)
	case silent && step == stepConsent:
		h.answer(w, r, p, refuse("consent_required", "the person has not allowed this yet"))
	case silent && step == stepAgain:
		h.answer(w, r, p, refuse("interaction_required", "the person has just signed out of this application"))
	case silent:
		h.answer(w, r, p, refuse("login_required", "the person has to sign in"))
	case step == stepConsent:
		p.Person = session.ID
		h.toHandle(w, r, p, purposeConsent, "/consent/")
	default:
		h.toHandle(w, r, p, purposeLogin, "/login/")
	}
}

type step int

const (
	stepFinish  step = iota
	stepSignIn       // user name and password
	stepConfirm      // the password of a given account
	stepChoose       // which account
	stepAgain        // "you just signed out"
	stepConsent
)

// next says what the request needs before it can be answered.
func (h *Handler) next(r *http.Request, p *parsed, session *storage.Session) (step, error) {
	switch {
	case session == nil || p.Other:
		return stepSignIn, nil
	case p.has("select_account") && !p.Chosen && session.AuthTime.UnixMilli() < p.Since:
		return stepChoose, nil
	case p.stale(session.AuthTime):
		return stepConfirm, nil
	}
	if p.client == nil {
		return stepFinish, nil
	}
	user, err := h.Store.User(r.Context(), session.Subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.Disabled {
		return stepSignIn, nil
	}
	if err != nil {
		return 0, err
	}
	if p.HintSubject != "" && p.HintSubject != h.Minter.SubjectFor(user.Subject, p.client) {
		return stepSignIn, nil // Core §3.1.2.1: not the person that the hint names
	}
	if h.Site.JustLeft(r, p.Client, session.AuthTime) && !p.Again {
		return stepAgain, nil
	}
	if p.Consented && p.Person == session.ID { // not for somebody else, who signed in on the way
		return stepFinish, nil
	}
	if p.has("consent") {
		return stepConsent, nil
	}
	if p.client.Consent == "skip" {
		return stepFinish, nil
	}
	allowed, err := h.Store.Consent(r.Context(), session.Subject, p.Client)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	if err != nil || !p.covered(allowed) || p.anybody() {
		return stepConsent, nil
	}
	return stepFinish, nil
}

// anybody tells whether nothing proves that the request is the application's own: it has no secret, and other programs on the device can take
// its loopback port or its scheme. Then what was allowed before is asked for again (RFC 6749 §10.2, RFC 8252 §8.6).
func (p *parsed) anybody() bool {
	return p.client.TokenEndpointAuthMethod == "none" && !strings.HasPrefix(p.RedirectURI, "https://")
}

// toHandle seals the request for this browser and leads it to the page.
func (h *Handler) toHandle(w http.ResponseWriter, r *http.Request, p *parsed, purpose, path string) {
	handle, err := h.Site.Handle(w, r, purpose, p.request, h.Lifetimes.Interaction)
	if errors.Is(err, web.ErrHandleSize) {
		err = refuse("invalid_request", "the request is too large: state, nonce, claims and redirect_uri together may have about 2000 characters")
	}
	if err != nil {
		h.answer(w, r, p, err)
		return
	}
	web.Redirect(w, h.Site.Path(path+handle))
}

// reopen opens the handle in the path and finds the client again, as it is now.
func (h *Handler) reopen(r *http.Request, purpose string) (*parsed, error) {
	var p parsed
	if _, err := h.Site.OpenHandle(r, purpose, r.PathValue("handle"), &p.request); err != nil {
		return nil, err
	}
	if p.Client == "" {
		return &p, nil
	}
	client, err := h.clientFor(r.Context(), p.Client)
	if err != nil {
		return nil, err
	}
	if !registered(client, p.RedirectURI) {
		return nil, fault("The redirect_uri is no longer registered for this application.", "")
	}
	p.client, p.proven = client, true
	if !p.registersResponse() || p.wants("code") && p.Challenge == "" && needsPKCE(client) {
		return nil, fault("This application may no longer ask in this way.", "Go back to the application and start again.")
	}
	return &p, nil
}
