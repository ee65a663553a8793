package signout

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// logoutRequest is what a logout request came to: it travels in a handle, and the ID token itself does not.
type logoutRequest struct {
	ClientID              string `json:"c,omitempty"` // who asks
	HintVerified          bool   `json:"p,omitempty"` // a valid hint says so, not the bare client_id
	HintSID               string `json:"s,omitempty"` // of the hint
	HintSubject           string `json:"u,omitempty"` // of the hint, as that client knows the user
	PostLogoutRedirectURI string `json:"t,omitempty"` // post_logout_redirect_uri, registered with Client
	State                 string `json:"a,omitempty"`
	Problem               string `json:"e,omitempty"` // what is wrong with the request, for the person
}

// validate checks a logout request (RP-Initiated Logout 1.0 §2, §3). logout_hint and ui_locales are read by nobody: the first proves nothing and a
// browser has one session, and the texts are in one language. What is wrong stands in Problem: then nothing is followed, but the
// person may still sign out.
func (h *Handler) validate(ctx context.Context, params url.Values) (logoutRequest, error) {
	var req logoutRequest
	if text := params.Get("id_token_hint"); text != "" {
		hint, err := h.HintVerifier.VerifyHint(text)
		if err != nil {
			req.Problem = "The id_token_hint is not an ID token of this provider."
			return req, nil
		}
		req.ClientID, req.HintVerified, req.HintSID, req.HintSubject = hint.Client, true, hint.SID, hint.Subject
	}
	if id := params.Get("client_id"); id != "" {
		if req.HintVerified && id != req.ClientID {
			return logoutRequest{Problem: "The client_id is not that of the application which the id_token_hint was issued to."}, nil
		}
		req.ClientID = id
	}
	if req.ClientID == "" {
		// A target without a client cannot be shown to be legitimate: it is not followed, and not shown (§3).
		return req, nil
	}
	client, err := h.Store.Client(ctx, req.ClientID)
	switch missing := errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled; {
	case missing && req.HintVerified:
		return logoutRequest{}, nil // the application was removed meanwhile; the person may still sign out
	case missing:
		return logoutRequest{Problem: "The client_id is not one of an application that is known here."}, nil
	case err != nil:
		return logoutRequest{}, err
	}
	if redirectURI := params.Get("post_logout_redirect_uri"); redirectURI != "" {
		if !slices.Contains(client.PostLogoutRedirectURIs, redirectURI) { // byte for byte, query included
			req.Problem = "The post_logout_redirect_uri is not registered for this application."
			return req, nil
		}
		req.PostLogoutRedirectURI, req.State = redirectURI, params.Get("state")
	}
	return req, nil
}

// revalidate is a verdict that travelled in a handle, without a target that its application has lost since.
func (h *Handler) revalidate(ctx context.Context, req logoutRequest) (logoutRequest, error) {
	client, err := h.Store.Client(ctx, req.ClientID)
	if err != nil || client.Disabled || !slices.Contains(client.PostLogoutRedirectURIs, req.PostLogoutRedirectURI) {
		req.PostLogoutRedirectURI, req.State = "", ""
	}
	return req, ignoreMissing(err)
}

// hintMatchesSession tells whether the hint belongs to this session: by its sid, which is of one application's share of one session, or, where it has none as in
// what offline access was given, by its subject. A share that has ended belongs to no session any more.
func (h *Handler) hintMatchesSession(ctx context.Context, req logoutRequest, session *storage.Session) (bool, error) {
	if !req.HintVerified {
		return false, nil
	}
	if req.HintSID != "" {
		clientSession := session.ClientSession(req.ClientID)
		return clientSession != nil && clientSession.SID == req.HintSID, nil
	}
	client, err := h.Store.Client(ctx, req.ClientID)
	if err != nil {
		return false, ignoreMissing(err)
	}
	return h.SubjectFor(session.Subject, client) == req.HintSubject, nil
}

// redirectURL is the post-logout redirect with its state: added correctly where the URI has a query, and byte for byte.
func (req logoutRequest) redirectURL() string {
	if req.PostLogoutRedirectURI == "" || req.State == "" {
		return req.PostLogoutRedirectURI
	}
	separator := "?"
	if strings.Contains(req.PostLogoutRedirectURI, "?") {
		separator = "&"
	}
	return req.PostLogoutRedirectURI + separator + "state=" + url.QueryEscape(req.State)
}

// requestingApp is who asked, as pages show it.
func (h *Handler) requestingApp(ctx context.Context, req logoutRequest) *templates.App {
	if req.ClientID == "" {
		return nil
	}
	client, err := h.Store.Client(ctx, req.ClientID)
	if err != nil {
		return nil
	}
	return h.Site.App(client, req.PostLogoutRedirectURI)
}

// readRequest takes the request from the query of a GET, the form of a POST, or the handle that a POST was turned into.
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
