package signin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// upstream.go signs users in with accounts of other providers, the upstreams. The state parameter of the request to the
// upstream carries the client's request, sealed and bound to this browser and to that upstream.

// upstreamLifetime is how long a user may take to sign in at an upstream.
const upstreamLifetime = 15 * time.Minute

// errUpstreamCycle says that a browser left for upstreams again and again without coming back.
var errUpstreamCycle = fmt.Errorf("%w: the browser left too often and did not come back", upstream.ErrUnavailable)

// purposeUpstream returns the purpose with which states for an upstream are sealed. Each upstream has its own, so that
// a state for one is not valid at another.
func purposeUpstream(p *upstream.Provider) string { return "upstream " + p.ID }

// StartUpstream handles GET /login/{interaction}/upstream/{upstream}. It sends the browser to the upstream.
func (h *Handler) StartUpstream(w http.ResponseWriter, r *http.Request) error {
	req, session, err := h.openLogin(r)
	if err != nil {
		return err
	}
	p, err := h.upstreamOf(r)
	if err != nil {
		return err
	}
	switch step, err := h.nextStep(r, req, session); {
	case err != nil:
		return h.answerError(w, r, req, err)
	case step == stepSignIn, step == stepReauthenticate:
		return h.redirectToUpstream(w, r, req, p, step == stepReauthenticate || req.hasPrompt("login"))
	default: // the user has signed in in another tab
		return h.proceed(w, r, req, session)
	}
}

// upstreamOf returns the upstream that the path names.
func (h *Handler) upstreamOf(r *http.Request) (*upstream.Provider, error) {
	p := h.Upstreams.Find(r.PathValue("upstream"))
	if p == nil {
		return nil, web.PageError{Status: http.StatusNotFound, Reason: "no upstream has this id"}
	}
	return p, nil
}

// redirectToUpstream seals the request and redirects to the upstream. If the upstream cannot be used, it redirects to
// the sign-in page, which shows the problem. With force the upstream must authenticate the user again.
func (h *Handler) redirectToUpstream(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	force bool,
) error {
	if !h.Site.CountVisit(w, r) {
		return h.showUpstreamProblem(w, r, req, p, errUpstreamCycle)
	}
	flow := p.NewFlow(force)
	state, err := h.sealForUpstream(w, r, req, p, flow)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	loginHint := req.LoginHint
	if req.UseOtherAccount {
		loginHint = ""
	}
	target, err := p.AuthorizationURL(r.Context(), flow, state, loginHint)
	if err != nil {
		return h.showUpstreamProblem(w, r, req, p, err)
	}
	web.Redirect(w, target)
	return nil
}

// sealForUpstream returns the state parameter that carries the request to the upstream and back.
func (h *Handler) sealForUpstream(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	flow upstream.Flow,
) (string, error) {
	next := req.interaction
	next.First = nil
	next.Method = ""
	next.MethodState = nil
	next.Problem = nil
	next.Flow = &flow
	interactionID, err := h.Site.SealInteraction(w, r, purposeUpstream(p), next, upstreamLifetime)
	if err != nil {
		return "", err
	}
	return h.Site.UpstreamState(w, interactionID, upstreamLifetime), nil
}

// route returns the upstream to which Curfew redirects at once because of the hints in a request, or nil. It returns
// nil if the browser was routed before and has not signed in since: then two providers may be redirecting to each
// other, and the user must choose.
func (h *Handler) route(r *http.Request, req *authRequest) *upstream.Provider {
	if req.Routed || req.UseOtherAccount || req.Problem != nil || h.Site.WasRouted(r) {
		return nil
	}
	return h.Upstreams.Route(req.DomainHint, req.LoginHint)
}

// UpstreamCallback handles GET /upstream/{upstream}/callback, to which the upstream sends the browser back.
func (h *Handler) UpstreamCallback(w http.ResponseWriter, r *http.Request) error {
	p, err := h.upstreamOf(r)
	if err != nil {
		return err
	}
	response, err := web.Params(r)
	if err != nil {
		return err
	}
	interactionID := h.Site.UpstreamInteraction(w, r, response.Get("state"))
	req, err := h.openRequest(r, purposeUpstream(p), interactionID)
	if err != nil {
		return err
	}
	if req.Flow == nil {
		return web.ErrInteraction
	}
	flow := *req.Flow
	req.Flow = nil
	h.Site.ForgetRoute(w, r)
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	if req.LinkSession != "" {
		return h.linkToSession(w, r, req, p, flow, response, session)
	}
	var current *storage.Session
	if signedIn {
		current = &session
	}
	if flow.Session != "" {
		return h.finishRecheck(w, r, req, p, flow, response, current)
	}
	step, err := h.nextStep(r, req, current)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	if step != stepSignIn && step != stepReauthenticate { // the user has signed in in another tab
		return h.proceed(w, r, req, current)
	}
	start := func() (startedSession, error) {
		return h.authenticateAtUpstream(r, req, current, step, p, flow, response)
	}
	// The code can be used only once. A callback that is repeated within seconds, for example by a reload, gets the
	// session of the first.
	formKey := "upstream " + storage.HashOf(response.Encode()).String()
	started, isRepeated, err := h.started.do(r.Context(), formKey, h.Site.Now(), start)
	if err == nil && isRepeated && !h.isActive(r, started) {
		err = storage.ErrRevoked
	}
	if needed, ok := errors.AsType[*secondFactorNeededError](err); ok {
		req.First = &needed.first
		return h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
	}
	if err != nil {
		return h.showUpstreamProblem(w, r, req, p, err)
	}
	return h.signedIn(w, r, req, started)
}

// authenticateAtUpstream redeems the upstream's response and stores the session of the account's user.
func (h *Handler) authenticateAtUpstream(
	r *http.Request,
	req *authRequest,
	session *storage.Session,
	current step,
	p *upstream.Provider,
	flow upstream.Flow,
	response url.Values,
) (startedSession, error) {
	attempt := authn.Attempt{At: h.Site.Now(), Sequence: req.sequence, Address: h.Site.ClientAddress(r)}
	if current == stepReauthenticate {
		attempt.User = &storage.User{Subject: session.Subject}
	}
	account, err := p.Redeem(r.Context(), flow, response)
	if err != nil {
		return startedSession{}, err
	}
	authentication, err := h.Accounts.Authenticate(r.Context(), p, account, attempt)
	if err == nil {
		err = h.checkRequestedUser(req, authentication.User)
	}
	if err != nil {
		return startedSession{}, err
	}
	// The page of an upstream has no box to end old sessions, so the oldest ones end.
	return h.startOrAskMore(r, req, session, nil, authentication, startOptions{endOldest: true})
}

// showUpstreamProblem redirects to the sign-in page, which shows why the sign-in at the upstream failed. There the user
// can sign in by other means.
func (h *Handler) showUpstreamProblem(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	err error,
) error {
	problem := templates.Problem{Provider: p.Name}
	refusal, isRefusal := errors.AsType[*authn.Refusal](err)
	notLinked, isNotLinked := errors.AsType[*upstream.NotLinkedError](err)
	response, isResponse := errors.AsType[*upstream.RefusedError](err)
	reason, subject := err.Error(), ""
	switch {
	case isRefusal:
		problem.Fault = refusal.Problem.Fault
		reason = refusal.Reason
		subject = refusal.Subject
	case isNotLinked:
		problem.Fault = templates.UpstreamNotLinked
		req.Link = &notLinked.Identity
	case isResponse && response.Cancelled:
		problem.Fault = templates.UpstreamCancelled
	case isResponse:
		problem.Fault = templates.UpstreamRefused
	case errors.Is(err, upstream.ErrUnavailable):
		problem.Fault = templates.UpstreamUnavailable
	case errors.Is(err, storage.ErrRevoked):
		problem.Fault = templates.SessionOver
	default:
		return err
	}
	h.logRefusal(r, "upstream "+p.ID, reason, subject, h.Site.ClientAddress(r))
	if req.LinkSession != "" {
		notice := templates.NoticeNotLinked
		if errors.Is(err, storage.ErrExists) {
			notice = templates.NoticeLinkTaken
		}
		web.Redirect(w, h.Site.Path(req.ReturnPath+"?done="+string(notice)))
		return nil
	}
	req.Problem = &problem
	return h.redirectToInteraction(w, r, req, purposeLogin, "/login/")
}

// linkPending links the account in req.Link to a user. The user first signed in with that account, which was not
// linked, and has now signed in by other means.
func (h *Handler) linkPending(r *http.Request, req *authRequest, subject string) error {
	if req.Link == nil {
		return nil
	}
	identity := *req.Link
	req.Link = nil
	err := h.Accounts.Link(r.Context(), identity, subject, "user:"+subject, h.Site.ClientAddress(r))
	if errors.Is(err, storage.ErrExists) {
		h.logRefusal(r, "upstream "+identity.Provider, "the account is linked to another user", subject,
			h.Site.ClientAddress(r))
		return nil
	}
	return err
}

// LinkUpstream sends a signed-in user to an upstream, to link an account there. The browser comes back to path, one of
// Curfew's own pages.
func (h *Handler) LinkUpstream(w http.ResponseWriter, r *http.Request, id, path string, session storage.Session) error {
	p := h.Upstreams.Find(id)
	if p == nil {
		return web.PageError{Status: http.StatusNotFound, Reason: "no upstream has this id"}
	}
	req := &authRequest{interaction: interaction{
		ReturnPath:  path,
		ReceivedAt:  h.Site.Now().UnixMilli(),
		LinkSession: session.ID,
	}}
	return h.redirectToUpstream(w, r, req, p, false)
}

// linkToSession links the account to the user of the session in which LinkUpstream was called. The browser must still
// have that session.
func (h *Handler) linkToSession(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	p *upstream.Provider,
	flow upstream.Flow,
	response url.Values,
	session storage.Session,
) error {
	if session.ID != req.LinkSession {
		return web.ErrInteraction
	}
	account, err := p.Redeem(r.Context(), flow, response)
	if err == nil {
		account, err = p.Complete(r.Context(), account)
	}
	if err == nil {
		by := "user:" + session.Subject
		err = h.Accounts.Link(r.Context(), p.Identity(account), session.Subject, by, h.Site.ClientAddress(r))
	}
	if errors.Is(err, storage.ErrExists) {
		err = errLinkTaken
	}
	if err != nil {
		return h.showUpstreamProblem(w, r, req, p, err)
	}
	web.Redirect(w, h.Site.Path(req.ReturnPath+"?done="+string(templates.NoticeLinked)))
	return nil
}

// errLinkTaken says that the account is linked to another user.
var errLinkTaken = errors.Join(
	&upstream.RefusedError{Reason: "the account is linked to another user"},
	storage.ErrExists,
)

// upstreamLinks returns the buttons of the sign-in page for the upstreams. For a known user, who signs in again, it
// returns only the upstreams of the user's linked accounts.
func (h *Handler) upstreamLinks(r *http.Request, user *storage.User) ([]templates.UpstreamLink, error) {
	var linked []storage.Identity
	if user != nil {
		var err error
		if linked, err = h.Store.ListIdentities(r.Context(), user.Subject); err != nil {
			return nil, err
		}
	}
	var links []templates.UpstreamLink
	for _, p := range h.Upstreams {
		isLinked := slices.ContainsFunc(linked, func(i storage.Identity) bool { return i.Issuer == p.Issuer })
		if user != nil && !isLinked {
			continue
		}
		path := "/login/" + r.PathValue("interaction") + "/upstream/" + p.ID
		links = append(links, templates.UpstreamLink{ID: p.ID, Name: p.Name, URL: h.Site.Path(path)})
	}
	return links, nil
}
