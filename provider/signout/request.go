package signout

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// logoutRequest is a validated logout request. It travels sealed through the browser; the ID token that was the hint
// does not.
type logoutRequest struct {
	ClientID     string                  `json:"c,omitempty"` // the client that asks; empty: the user
	HintVerified bool                    `json:"p,omitempty"` // ClientID comes from a valid id_token_hint, not from client_id alone
	HintSID      string                  `json:"s,omitempty"`
	HintSubject  string                  `json:"u,omitempty"` // as the client knows the user
	Target       logoutview.ReturnTarget `json:"t,omitzero"`  // registered with the client
	Unverified   logoutview.ReturnTarget `json:"f,omitzero"`  // of a request that names no client
	Problem      templates.ErrorText     `json:"e,omitempty"` // why nothing of the request counts

	ProblemSubject web.Subject `json:"b,omitzero"` // what Problem is about, for the log

	client *storage.Client // of ClientID; nil if there is none. It is loaded once, when the request is read
}

// refused is a request with a problem: nothing of it is followed.
func refused(problem templates.ErrorText, client, param string) logoutRequest {
	return logoutRequest{Problem: problem, ProblemSubject: web.Subject{Client: client, Param: param}}
}

// validate checks a logout request (RP-Initiated Logout 1.0 §2, §3). logout_hint and ui_locales are ignored: the
// first proves nothing, since the browser's cookie names the session, and pages exist in one language. An invalid
// request has a Problem: it redirects nowhere, but the user may still sign out.
func (h *Handler) validate(ctx context.Context, params url.Values) (logoutRequest, error) {
	var req logoutRequest
	if text := params.Get("id_token_hint"); text != "" {
		hint, err := h.HintVerifier.VerifyHint(text)
		if err != nil {
			return refused(templates.ErrorHintInvalid, params.Get("client_id"), "id_token_hint"), nil
		}
		req.ClientID, req.HintVerified, req.HintSID, req.HintSubject = hint.Client, true, hint.SID, hint.Subject
	}
	if id := params.Get("client_id"); id != "" {
		if req.HintVerified && id != req.ClientID {
			return refused(templates.ErrorHintClient, id, "client_id"), nil
		}
		req.ClientID = id
	}
	if req.ClientID == "" {
		// §3: without a client nothing verifies the post_logout_redirect_uri. It is never followed; see offeredTarget.
		req.Unverified = logoutview.ReturnTarget{
			URI:     params.Get("post_logout_redirect_uri"),
			State:   params.Get("state"),
			Offered: true,
		}
		return req, nil
	}
	client, err := h.Store.Client(ctx, req.ClientID)
	switch missing := errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled; {
	case missing && req.HintVerified:
		return logoutRequest{}, nil // the client was removed since it got the ID token; the user may still sign out
	case missing:
		return refused(templates.ErrorLogoutClientUnknown, req.ClientID, "client_id"), nil
	case err != nil:
		return logoutRequest{}, err
	}
	req.client = client
	if redirectURI := params.Get("post_logout_redirect_uri"); redirectURI != "" {
		if !client.AllowsPostLogoutRedirectURI(redirectURI) {
			req.Problem = templates.ErrorPostLogoutRedirectURI
			req.ProblemSubject = web.Subject{
				Client: req.ClientID,
				Param:  "post_logout_redirect_uri",
				Value:  web.LoggableURI(redirectURI),
			}
			return req, nil
		}
		req.Target = logoutview.ReturnTarget{URI: redirectURI, State: params.Get("state")}
	}
	if len(req.Target.URI)+len(req.Target.State) > maxTargetSize {
		return logoutRequest{}, web.ErrInteractionSize
	}
	return req, nil
}

// maxTargetSize is how long a return target may be with its state. A request of this size can be sealed for the page
// that asks the user, and the limit holds without that page too.
const maxTargetSize = 10_000

// revalidate loads the client of a request that was sealed, and drops a return target that is no longer registered.
func (h *Handler) revalidate(ctx context.Context, req logoutRequest) (logoutRequest, error) {
	client, err := h.Store.Client(ctx, req.ClientID)
	if err != nil || client.Disabled {
		req.Target = logoutview.ReturnTarget{}
		return req, ignoreNotFound(err)
	}
	req.client = client
	if !client.AllowsPostLogoutRedirectURI(req.Target.URI) {
		req.Target = logoutview.ReturnTarget{}
	}
	return req, nil
}

// hintMatchesSession reports whether the hint's sid (or, without one, its subject) is the session's. ID tokens of
// offline access have no sid. The sid of a client session that has ended matches no session.
func (h *Handler) hintMatchesSession(req logoutRequest, session *storage.Session) bool {
	if !req.HintVerified || req.client == nil {
		return false
	}
	if req.HintSID != "" {
		clientSession := session.ClientSession(req.ClientID)
		return clientSession != nil && clientSession.SID == req.HintSID
	}
	return h.SubjectFor(session.Subject, req.client) == req.HintSubject
}

// requestingApp returns the requesting client as pages show it; nil if there is none.
func (h *Handler) requestingApp(req logoutRequest) *templates.App {
	if req.client == nil {
		return nil
	}
	return h.Site.App(req.client, req.Target.URI)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// readRequest reads the request from the query of a GET, the form of a POST, or the interaction that a POST was
// redirected with.
func (h *Handler) readRequest(r *http.Request) (logoutRequest, error) {
	params, err := web.Params(r)
	if err != nil {
		return logoutRequest{}, err
	}
	if interactionID := params.Get("request"); interactionID != "" {
		var req logoutRequest
		if _, err := h.Site.OpenInteraction(r, purposeRequest, interactionID, &req); err != nil {
			return req, err
		}
		return h.revalidate(r.Context(), req)
	}
	return h.validate(r.Context(), params)
}

// offeredTarget returns the return target of a request that names no client, if a client of the session registered
// it, with that client's ID. The user has confirmed the logout, and gets a link.
func (h *Handler) offeredTarget(
	ctx context.Context,
	req logoutRequest,
	session *storage.Session,
) (clientID string, target logoutview.ReturnTarget, err error) {
	if req.Unverified.URI == "" {
		return "", logoutview.ReturnTarget{}, nil
	}
	for _, clientSession := range session.ClientSessions {
		client, err := h.Store.Client(ctx, clientSession.Client)
		switch {
		case ignoreNotFound(err) != nil:
			return "", logoutview.ReturnTarget{}, err
		case err == nil && !client.Disabled && client.AllowsPostLogoutRedirectURI(req.Unverified.URI):
			return client.ClientID, req.Unverified, nil
		}
	}
	return "", logoutview.ReturnTarget{}, nil
}
