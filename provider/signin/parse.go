package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// authRequest is a request while it is read. Once redirectURIVerified is set, errors go to the client.
type authRequest struct {
	interaction
	clientRecord        *storage.Client
	redirectURIVerified bool
	notGranted          []string         // requested scopes that are ignored
	sequence            storage.Sequence // the store's, from before client, session and consent were read in this HTTP request
}

// oauthError returns an error for the client.
func oauthError(param, code, description string) error {
	return web.OAuthError{Code: code, Description: description}.About(param)
}

// parse reads an authorization request (Core §3.1.2.1, §3.2.2.1, §3.3.2.1). Unknown parameters are ignored. If req has
// redirectURIVerified set, an error goes to the client; otherwise to the user only.
func (h *Handler) parse(r *http.Request) (req authRequest, err error) {
	if req.sequence, err = h.Store.Sequence(r.Context()); err != nil {
		return req, err
	}
	values, err := web.Params(r, "resource") // RFC 8707 §2
	if values == nil {
		return req, err
	}
	if err != nil {
		// The client gets the error only if client_id and redirect_uri are beyond doubt.
		for _, name := range []string{"client_id", "redirect_uri"} {
			if len(values[name]) > 1 {
				e := web.PageErrorFrom(web.RepeatedParamError{Name: name})
				e.Subject.Client = values.Get("client_id")
				return req, e
			}
		}
		if clientErr := h.resolveClient(r.Context(), &req, values); clientErr != nil {
			return req, clientErr
		}
		var repeated web.RepeatedParamError
		errors.As(err, &repeated)
		return req, oauthError(repeated.Name, "invalid_request", err.Error())
	}
	values, err = h.RequestObjects.Merge(r.Context(), values, h.enabledClient)
	if err != nil {
		// The object could not be read: the parameters beside it say where the error goes.
		if clientErr := h.resolveClient(r.Context(), &req, values); clientErr != nil {
			return req, clientErr
		}
		return req, err
	}
	if err := h.resolveClient(r.Context(), &req, values); err != nil {
		return req, err
	}
	req.ReceivedAt = h.Site.Now().UnixMilli()
	for _, read := range []func(*authRequest, url.Values) error{h.readResponseType, h.readScope, h.readResource, h.readPKCE, h.readPrompt, h.readHints} {
		if err := read(&req, values); err != nil {
			return req, err
		}
	}
	return req, req.checkSize()
}

// resolveClient finds the client and compares the redirect URI with the registered ones, byte for byte (RFC 9700 §2.1).
func (h *Handler) resolveClient(ctx context.Context, req *authRequest, params url.Values) error {
	// The parameters that an error response needs come first. An invalid response_mode falls back to the default.
	req.State = params.Get("state")
	req.ResponseType = strings.Fields(params.Get("response_type"))
	slices.Sort(req.ResponseType)
	if mode := params.Get("response_mode"); h.checkResponseMode(req, mode, params.Get("redirect_uri")) == nil {
		req.ResponseMode = mode
	}

	if params.Get("client_id") == "" {
		return web.PageError{Text: templates.ErrorClientIDMissing, Subject: web.Subject{Param: "client_id"}}
	}
	client, err := h.enabledClient(ctx, params.Get("client_id"))
	if err != nil {
		return err
	}
	uri := params.Get("redirect_uri")
	switch {
	case uri == "":
		return web.PageError{
			Text:    templates.ErrorRedirectURIMissing,
			Subject: web.Subject{Client: client.ClientID, Param: "redirect_uri"},
		}
	case !client.AllowsRedirectURI(uri):
		return unregisteredRedirectURI(client.ClientID, uri)
	}
	req.clientRecord, req.ClientID, req.RedirectURI, req.redirectURIVerified = client, client.ClientID, uri, true
	return nil
}

// checkResponseMode returns what is wrong with a response mode, or nil.
func (h *Handler) checkResponseMode(req *authRequest, mode, redirectURI string) error {
	switch mode {
	case "", "fragment":
	case "query":
		if req.responseCarriesTokens() { // Multiple Response Types §5: it would put tokens into logs and histories
			return oauthError("response_mode", "invalid_request", "response_mode query may not carry tokens")
		}
	case "form_post":
		if web.Origin(redirectURI) == "" {
			return oauthError("response_mode", "invalid_request", "response_mode form_post needs a redirect_uri with a host")
		}
	default:
		return oauthError("response_mode", "invalid_request", "response_mode must be one of query, fragment, form_post")
	}
	return nil
}

// enabledClient returns an enabled client. An unknown or disabled one is an error for the user.
func (h *Handler) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	client, err := h.Store.Client(ctx, id)
	missing := errors.Is(err, storage.ErrNotFound)
	if missing || err == nil && client.Disabled {
		e := web.PageError{
			Text:    templates.ErrorClientUnknown,
			Reason:  "no client has this client_id",
			Subject: web.Subject{Client: id, Param: "client_id"},
		}
		if !missing {
			e.Reason = "the client is disabled"
		}
		return nil, e
	}
	return client, err
}

// unregisteredRedirectURI is the page about a redirect URI that must not be followed. It shows the host, so that the app's owner sees
// what was sent.
func unregisteredRedirectURI(clientID, uri string) error {
	e := web.PageError{
		Text:    templates.ErrorRedirectURIUnregistered,
		Value:   web.URIHost(uri),
		Subject: web.Subject{Client: clientID, Param: "redirect_uri", Value: web.LoggableURI(uri)},
	}
	if e.Value == "" {
		e.Text = templates.ErrorRedirectURIWithoutHost
	}
	return e
}

func (h *Handler) readResponseType(req *authRequest, params url.Values) error {
	if len(req.ResponseType) == 0 {
		return oauthError("response_type", "invalid_request", "response_type is missing")
	}
	if !slices.Contains(register.ResponseTypes(), canonicalResponseType(req.ResponseType)) {
		return oauthError("response_type", "unsupported_response_type", "response_type must be one of response_types_supported in the discovery document")
	}
	if !req.responseTypeRegistered() {
		return oauthError("response_type", "unauthorized_client", "this response_type is not registered for the client")
	}
	if err := h.checkResponseMode(req, params.Get("response_mode"), req.RedirectURI); err != nil {
		return err
	}
	req.Nonce = params.Get("nonce")
	if req.Nonce == "" && req.hasResponseType("id_token") {
		return oauthError("nonce", "invalid_request", "nonce is required where the authorization response carries an ID token")
	}
	return nil
}

// responseTypeRegistered reports whether the client is registered for this response type.
func (req *authRequest) responseTypeRegistered() bool {
	return slices.ContainsFunc(req.clientRecord.AllowedResponseTypes(), func(t string) bool {
		return canonicalResponseType(strings.Fields(t)) == canonicalResponseType(req.ResponseType)
	})
}

func canonicalResponseType(fields []string) string {
	sorted := slices.Clone(fields)
	slices.Sort(sorted)
	return strings.Join(sorted, " ")
}

// readScope reads the scopes that the client may request. An unknown scope is ignored (Core §3.1.2.1), and so is offline_access where it
// cannot be granted (Core §11).
func (h *Handler) readScope(req *authRequest, params url.Values) error {
	for _, scope := range strings.Fields(params.Get("scope")) {
		switch {
		case slices.Contains(req.Scope, scope):
		case !req.mayGrant(scope, params.Get("prompt")):
			req.notGranted = append(req.notGranted, scope)
		default:
			req.Scope = append(req.Scope, scope)
		}
	}
	if !slices.Contains(req.Scope, "openid") {
		return oauthError("scope", "invalid_scope", "scope must contain openid")
	}
	if text := params.Get("claims"); text != "" {
		claims, err := tokens.ParseClaimsRequest(text)
		if err != nil {
			return oauthError("claims", "invalid_request", err.Error())
		}
		req.Claims = claims.RestrictTo(req.clientRecord).Raw() // without unknown and refused claims, so that the interaction stays small
		var unique bool
		if req.HintSubject, unique = claims.Subject(); !unique {
			// Core §3.1.2.2: the response is about the requested user or there is none.
			return oauthError("claims", "invalid_request", "claims must request one sub only")
		}
		if acr := claims.IDToken["acr"]; acr != nil && acr.Essential && !slices.ContainsFunc(authn.ACRValues(), func(v string) bool { return acr.Accepts(v) }) {
			// Core §5.5.1.1: an essential acr that cannot be met is a failed authentication attempt.
			return oauthError("claims", "access_denied", "none of the essential acr values is supported")
		}
	}
	return nil
}

// mayGrant reports whether a requested scope is granted: one about the user that the client may have, or one that an operator registered
// for the client by name. offline_access needs the user's consent each time (Core §11).
func (req *authRequest) mayGrant(scope, prompt string) bool {
	client := req.clientRecord
	understood := slices.Contains(tokens.Scopes(), scope) || client.Scope != ""
	if !understood || len(client.AllowedScope([]string{scope})) == 0 {
		return false
	}
	if scope != "offline_access" {
		return true
	}
	return req.hasResponseType("code") && slices.Contains(strings.Fields(prompt), "consent") && client.MayHoldOfflineAccess()
}

// readResource refuses a resource that access tokens of the client would not be bound to (RFC 8707 §2).
func (h *Handler) readResource(req *authRequest, params url.Values) error {
	if req.clientRecord.AcceptsResources(params["resource"]) {
		return nil
	}
	return oauthError("resource", "invalid_target", "access tokens of this client are for its registered audience: name exactly that, or no resource")
}

// readPKCE reads the code challenge (RFC 7636); the method is S256.
func (h *Handler) readPKCE(req *authRequest, params url.Values) error {
	challenge, method := params.Get("code_challenge"), params.Get("code_challenge_method")
	switch {
	case !req.hasResponseType("code"):
		return nil
	case challenge == "" && method == "":
		if req.clientRecord.MayOmitPKCE(req.nonceBindsCode()) {
			return nil
		}
		return pkceRequired(req.clientRecord)
	case method != "S256": // an absent method means plain (RFC 7636 §4.3)
		return oauthError("code_challenge_method", "invalid_request", "code_challenge_method must be S256")
	case len(challenge) != 43 || strings.Trim(challenge, base64URLAlphabet) != "":
		return oauthError("code_challenge", "invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	req.CodeChallenge = challenge
	return nil
}

// pkceRequired says what the request lacks, and by which setting.
func pkceRequired(c *storage.Client) error {
	text := "code_challenge is required, with code_challenge_method S256 (RFC 7636)"
	switch {
	case c.RequirePKCE != nil:
		text += "; the client has require_pkce: true"
	case !c.IsPublic():
		text += ", or a nonce with scope openid and response_type code; see the client setting require_pkce"
	}
	return oauthError("code_challenge", "invalid_request", text)
}

const base64URLAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func (h *Handler) readPrompt(req *authRequest, params url.Values) error {
	req.Prompt = strings.Fields(params.Get("prompt"))
	for _, prompt := range req.Prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, prompt) {
			return oauthError("prompt", "invalid_request", "prompt must be one of none, login, consent, select_account")
		}
	}
	if req.hasPrompt("none") && len(req.Prompt) > 1 {
		return oauthError("prompt", "invalid_request", "prompt=none cannot be combined with other values")
	}
	req.MaxAge = req.clientRecord.DefaultMaxAge
	if text := params.Get("max_age"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return oauthError("max_age", "invalid_request", "max_age must be a number of seconds")
		}
		req.MaxAge = &n
	}
	// acr_values is voluntary (Core §3.1.2.1) and there is one class only; the acr claim names it.
	return nil
}

func (h *Handler) readHints(req *authRequest, params url.Values) error {
	req.LoginHint = params.Get("login_hint")
	if len(req.LoginHint) > 256 {
		req.LoginHint = ""
	}
	if token := params.Get("id_token_hint"); token != "" {
		hintClaims, err := h.HintVerifier.VerifyHint(token)
		if err != nil {
			return oauthError("id_token_hint", "invalid_request", "id_token_hint is not an ID token of this issuer")
		}
		if req.HintSubject != "" && req.HintSubject != hintClaims.Subject {
			return oauthError("id_token_hint", "invalid_request", "id_token_hint and the claims parameter name different subjects")
		}
		req.HintSubject = hintClaims.Subject
	}
	return nil
}
