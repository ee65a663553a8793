package signout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// logoutRequest is a validated logout request. While the user decides, the browser carries it in sealed form. The ID
// token of the hint is not part of it.
type logoutRequest struct {
	ClientID     string                  `json:"c,omitempty"` // the requesting client; empty: the user alone
	HintVerified bool                    `json:"p,omitempty"` // ClientID comes from a valid id_token_hint
	HintSID      string                  `json:"s,omitempty"`
	HintSubject  string                  `json:"u,omitempty"` // the sub by which the client knows the user
	Target       logoutview.ReturnTarget `json:"t,omitzero"`  // registered for the client
	Unverified   logoutview.ReturnTarget `json:"f,omitzero"`  // the target of a request that names no client
	Problem      templates.ErrorText     `json:"e,omitempty"` // why the request is invalid and is ignored

	ProblemSubject web.Subject `json:"b,omitzero"` // the parameter that Problem is about, for the log

	client *storage.Client // the record of ClientID, or nil
}

// refused returns an invalid request, without a client and without a return target.
func refused(problem templates.ErrorText, client, param string) logoutRequest {
	return logoutRequest{Problem: problem, ProblemSubject: web.Subject{Client: client, Param: param}}
}

// validate checks a logout request (RP-Initiated Logout 1.0 §2, §3). It ignores logout_hint, because the cookie names
// the session. An invalid request gets a Problem and no return target, but the user may still sign out.
func (h *Handler) validate(ctx context.Context, params url.Values) (logoutRequest, error) {
	var req logoutRequest
	if text := params.Get("id_token_hint"); text != "" {
		hint, err := h.HintVerifier.VerifyHint(text)
		if err != nil {
			return refused(templates.ErrorHintInvalid, params.Get("client_id"), "id_token_hint"), nil
		}
		req.ClientID = hint.Client
		req.HintVerified = true
		req.HintSID = hint.SID
		req.HintSubject = hint.Subject
	}
	if id := params.Get("client_id"); id != "" {
		if req.HintVerified && id != req.ClientID {
			return refused(templates.ErrorHintClient, id, "client_id"), nil
		}
		req.ClientID = id
	}
	if req.ClientID == "" {
		// §3: without a client, Curfew cannot verify post_logout_redirect_uri, so it never redirects there. The page may
		// offer the URI as a link; see offeredTarget.
		req.Unverified = logoutview.ReturnTarget{
			URI:     params.Get("post_logout_redirect_uri"),
			State:   params.Get("state"),
			Offered: true,
		}
		return req, checkTargetSize(req.Unverified, "")
	}
	client, err := h.Store.Client(ctx, req.ClientID)
	isMissing := errors.Is(err, storage.ErrNotFound)
	if err == nil && client.Disabled {
		isMissing = true
	}
	switch {
	case isMissing && req.HintVerified: // the client was removed after it got the ID token; the user may still sign out
		return logoutRequest{}, nil
	case isMissing:
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
	return req, checkTargetSize(req.Target, req.ClientID)
}

// maxTargetSize is the maximum size of a return target as JSON, in bytes. A request of this size can be sealed for the
// confirmation page.
const maxTargetSize = 10_000

// checkTargetSize refuses a return target that is too large to seal. It also applies to requests that need no
// confirmation, so that the same request works for every user.
func checkTargetSize(target logoutview.ReturnTarget, client string) error {
	encoded, err := json.Marshal(target)
	if err != nil {
		return fmt.Errorf("encode return target: %w", err)
	}
	if len(encoded) > maxTargetSize {
		return web.PageError{
			Status:  http.StatusRequestEntityTooLarge,
			Reason:  "post_logout_redirect_uri and state together are longer than about 10000 characters",
			Subject: web.Subject{Client: client, Param: "state"},
		}
	}
	return nil
}

// revalidate loads the client of a request that was sealed, and removes a return target that is no longer registered.
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

// hintMatchesSession reports whether the hint's sid belongs to this session. ID tokens of offline access have no sid;
// for them it compares the subject. The sid of a client session that has ended matches no session.
func (h *Handler) hintMatchesSession(req logoutRequest, session *storage.Session) bool {
	if !req.HintVerified || req.client == nil {
		return false
	}
	if req.HintSID != "" {
		clientSession := session.ClientSession(req.ClientID)
		return clientSession != nil && clientSession.SID == req.HintSID
	}
	if clientSession := session.ClientSession(req.ClientID); clientSession != nil && clientSession.ClientSubject != "" {
		return clientSession.ClientSubject == req.HintSubject
	}
	return h.SubjectFor(session.Subject, req.client) == req.HintSubject
}

// requestingApp returns the requesting client for display on a page, or nil if the request has no client.
func (h *Handler) requestingApp(req logoutRequest) *templates.App {
	if req.client == nil {
		return nil
	}
	return h.Site.App(req.client, req.Target.URI)
}

// ignoreNotFound returns err, or nil if err is storage.ErrNotFound.
func ignoreNotFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// readRequest reads the request from the query of a GET, from the form of a POST, or from the interaction to which a
// POST was redirected.
func (h *Handler) readRequest(w http.ResponseWriter, r *http.Request) (logoutRequest, error) {
	params, err := web.Params(r)
	if err != nil {
		return logoutRequest{}, err
	}
	h.Site.RememberUILocales(w, r, params.Get("ui_locales"))
	if interactionID := params.Get("request"); interactionID != "" {
		var req logoutRequest
		if err := h.Site.OpenForAnyBrowser(purposeRequest, interactionID, &req); err != nil {
			return req, err
		}
		return h.revalidate(r.Context(), req)
	}
	return h.validate(r.Context(), params)
}

// offeredTarget returns the return target of a request without a client, if a client of the session has registered the
// target. clientID is that client. The signed-out page offers the target as a link. The user has confirmed the logout
// before.
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
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", logoutview.ReturnTarget{}, err
		}
		if !client.Disabled && client.AllowsPostLogoutRedirectURI(req.Unverified.URI) {
			return client.ClientID, req.Unverified, nil
		}
	}
	return "", logoutview.ReturnTarget{}, nil
}
