package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// authRequest is an authorization request together with the records read for it. Until redirectURIVerified is set,
// errors go to an error page; afterwards they go to the redirect URI.
type authRequest struct {
	interaction
	clientRecord        *storage.Client
	redirectURIVerified bool
	pageShown           bool             // the user has seen a page of this provider for this request
	uiLocales           string           // the languages that the client asks for
	notGranted          []string         // requested scopes that are ignored
	granted             []string         // what the user of the session may grant of Scope; nextStep sets it
	sequence            storage.Sequence // the store's sequence, read before client, session and consent
}

// oauthError returns an error response for the client about the parameter param.
func oauthError(param, code, description string) error {
	return web.OAuthError{Code: code, Description: description}.About(param)
}

// parse reads and validates an authorization request (Core §3.1.2.1, §3.2.2.1, §3.3.2.1). It ignores unknown
// parameters. On an error, req contains everything that answerError needs.
func (h *Handler) parse(r *http.Request) (req authRequest, err error) {
	if req.sequence, err = h.Store.Sequence(r.Context()); err != nil {
		return req, err
	}
	values, err := web.Params(r, "resource") // resource may be repeated (RFC 8707 §2)
	if values == nil {
		return req, err
	}
	if err != nil { // with values, the error is that a parameter is repeated
		err = h.refuseRepeatedParam(r.Context(), &req, values, err)
		return req, err
	}
	values, err = h.RequestObjects.Merge(r.Context(), values, h.enabledClient)
	if err != nil {
		// The request object is invalid. The client_id and redirect_uri parameters beside it decide who gets the
		// error.
		if clientErr := h.resolveClient(r.Context(), &req, values); clientErr != nil {
			return req, clientErr
		}
		return req, err
	}
	req.uiLocales = values.Get("ui_locales")
	if err := h.resolveClient(r.Context(), &req, values); err != nil {
		return req, err
	}
	req.ReceivedAt = h.Site.Now().UnixMilli()
	steps := []func(*authRequest, url.Values) error{
		h.readResponseType,
		h.readScope,
		h.readResource,
		h.readPKCE,
		h.readPrompt,
		h.readHints,
	}
	for _, read := range steps {
		if err := read(&req, values); err != nil {
			return req, err
		}
	}
	return req, req.checkSize()
}

// refuseRepeatedParam returns the error for a request that repeats a parameter. err is the error of [web.Params]. If
// client_id or redirect_uri is repeated, the redirect URI is ambiguous, so that only the user gets the error.
func (h *Handler) refuseRepeatedParam(ctx context.Context, req *authRequest, values url.Values, err error) error {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(values[name]) > 1 {
			pageError := web.PageErrorFrom(web.RepeatedParamError{Name: name})
			pageError.Subject.Client = values.Get("client_id")
			return pageError
		}
	}
	if clientErr := h.resolveClient(ctx, req, values); clientErr != nil {
		return clientErr
	}
	var repeated web.RepeatedParamError
	errors.As(err, &repeated) // another error leaves the name empty
	return oauthError(repeated.Name, "invalid_request", err.Error())
}

// resolveClient finds the client and compares the redirect URI with the registered ones, byte for byte (RFC 9700
// §2.1).
func (h *Handler) resolveClient(ctx context.Context, req *authRequest, params url.Values) error {
	// An error response needs these parameters. An invalid response_mode falls back to the default.
	req.State = params.Get("state")
	req.Prompt = strings.Fields(params.Get("prompt"))
	req.ResponseType = strings.Fields(params.Get("response_type"))
	slices.Sort(req.ResponseType)
	uri := params.Get("redirect_uri")
	mode := params.Get("response_mode")
	if h.checkResponseMode(req, mode, uri) == nil {
		req.ResponseMode = mode
	}

	if params.Get("client_id") == "" {
		return web.PageError{Text: templates.ErrorClientIDMissing, Subject: web.Subject{Param: "client_id"}}
	}
	client, err := h.enabledClient(ctx, params.Get("client_id"))
	if err != nil {
		return err
	}
	switch {
	case uri == "":
		return web.PageError{
			Text:    templates.ErrorRedirectURIMissing,
			Subject: web.Subject{Client: client.ClientID, Param: "redirect_uri"},
		}
	case !client.AllowsRedirectURI(uri):
		return unregisteredRedirectURI(client.ClientID, uri)
	}
	req.clientRecord = client
	req.ClientID = client.ClientID
	req.RedirectURI = uri
	req.redirectURIVerified = true
	return nil
}

// checkResponseMode returns an error if the request may not use this response mode. Mode "" stands for the default.
func (h *Handler) checkResponseMode(req *authRequest, mode, redirectURI string) error {
	switch mode {
	case "", "fragment":
	case "query":
		// Multiple Response Types §5: a query would leave the tokens in server logs and in the browser's history.
		if req.responseCarriesTokens() {
			return oauthError("response_mode", "invalid_request", "response_mode query may not carry tokens")
		}
	case "form_post":
		if web.Origin(redirectURI) == "" {
			return oauthError(
				"response_mode",
				"invalid_request",
				"response_mode form_post needs a redirect_uri with a host",
			)
		}
	default:
		return oauthError("response_mode", "invalid_request", "response_mode must be one of query, fragment, form_post")
	}
	return nil
}

// enabledClient finds a client. If the client is unknown or disabled, the error is a [web.PageError] for the user.
func (h *Handler) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	client, err := h.Store.Client(ctx, id)
	pageError := web.PageError{
		Text:    templates.ErrorClientUnknown,
		Subject: web.Subject{Client: id, Param: "client_id"},
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		pageError.Reason = "no client has this client_id"
		return nil, pageError
	case err != nil:
		return nil, err
	case client.Disabled:
		pageError.Reason = "the client is disabled"
		return nil, pageError
	}
	return client, nil
}

// unregisteredRedirectURI returns the error page for a redirect URI that is not registered for the client. The page
// shows only the URI's host, so that the app's developer recognizes it.
func unregisteredRedirectURI(clientID, uri string) error {
	pageError := web.PageError{
		Text:    templates.ErrorRedirectURIUnregistered,
		Value:   web.URIHost(uri),
		Subject: web.Subject{Client: clientID, Param: "redirect_uri", Value: web.LoggableURI(uri)},
	}
	if pageError.Value == "" {
		pageError.Text = templates.ErrorRedirectURIWithoutHost
	}
	return pageError
}

// readResponseType reads response_type, response_mode and nonce.
func (h *Handler) readResponseType(req *authRequest, params url.Values) error {
	if len(req.ResponseType) == 0 {
		return oauthError("response_type", "invalid_request", "response_type is missing")
	}
	supported := register.ResponseTypes(h.Minter.Lifetimes.Implicit)
	if !slices.Contains(supported, canonicalResponseType(req.ResponseType)) {
		return oauthError(
			"response_type",
			"unsupported_response_type",
			"response_type must be one of response_types_supported in the discovery document",
		)
	}
	if !req.responseTypeRegistered() {
		return oauthError("response_type", "unauthorized_client", "this response_type is not registered for the client")
	}
	if err := h.checkResponseMode(req, params.Get("response_mode"), req.RedirectURI); err != nil {
		return err
	}
	req.Nonce = params.Get("nonce")
	if req.Nonce == "" && req.hasResponseType("id_token") {
		return oauthError(
			"nonce",
			"invalid_request",
			"nonce is required where the authorization response carries an ID token",
		)
	}
	return nil
}

// responseTypeRegistered reports whether the client is registered for this response type.
func (req *authRequest) responseTypeRegistered() bool {
	requested := canonicalResponseType(req.ResponseType)
	return slices.ContainsFunc(req.clientRecord.AllowedResponseTypes(), func(allowed string) bool {
		return canonicalResponseType(strings.Fields(allowed)) == requested
	})
}

// canonicalResponseType joins the values of a response type in alphabetical order, because their order has no meaning.
func canonicalResponseType(values []string) string {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return strings.Join(sorted, " ")
}

// readScope reads scope and claims. It ignores a scope that the client may not have (Core §3.1.2.1), and
// offline_access if the request does not meet its conditions (Core §11).
func (h *Handler) readScope(req *authRequest, params url.Values) error {
	for _, scope := range strings.Fields(params.Get("scope")) {
		switch {
		case slices.Contains(req.Scope, scope): // the request repeats the scope
		case !h.mayGrant(req, scope, params.Get("prompt")):
			req.notGranted = append(req.notGranted, scope)
		default:
			req.Scope = append(req.Scope, scope)
		}
	}
	if !slices.Contains(req.Scope, "openid") {
		return oauthError("scope", "invalid_scope", "scope must contain openid")
	}
	return readClaims(req, params.Get("claims"))
}

// mayGrant reports whether the client may be granted scope. offline_access also needs a response type with code and
// prompt=consent (Core §11).
func (h *Handler) mayGrant(req *authRequest, scope, prompt string) bool {
	client := req.clientRecord
	if len(h.Minter.APIScopes.Allowed(client, []string{scope})) == 0 {
		return false
	}
	if scope != "offline_access" {
		return true
	}
	asksForConsent := slices.Contains(strings.Fields(prompt), "consent")
	return req.hasResponseType("code") && asksForConsent && client.MayHoldOfflineAccess()
}

// readResource reads resource (RFC 8707 §2). Scopes of APIs that it does not name are not granted.
func (h *Handler) readResource(req *authRequest, params url.Values) error {
	scope, ok := h.Minter.APIScopes.Narrow(req.clientRecord, req.Scope, params["resource"])
	if !ok {
		return oauthError("resource", "invalid_target",
			"resource must name exactly the audience of the client and of the APIs whose scopes are requested")
	}
	req.notGranted = append(req.notGranted, missingFrom(scope, req.Scope)...)
	req.Scope = scope
	return nil
}

// missingFrom returns the values of requested that granted does not contain.
func missingFrom(granted, requested []string) []string {
	isGranted := func(scope string) bool { return slices.Contains(granted, scope) }
	return slices.DeleteFunc(slices.Clone(requested), isGranted)
}

// maxLoginHint is the maximum length of a login_hint, in bytes.
const maxLoginHint = 256

// readPrompt reads prompt and max_age.
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
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 {
			return oauthError("max_age", "invalid_request", "max_age must be a number of seconds")
		}
		req.MaxAge = &seconds
	}
	readACRValues(req, params)
	return nil
}

// readHints reads login_hint, domain_hint and id_token_hint. It ignores a login_hint or domain_hint longer than
// maxLoginHint.
func (h *Handler) readHints(req *authRequest, params url.Values) error {
	req.LoginHint = params.Get("login_hint")
	if len(req.LoginHint) > maxLoginHint {
		req.LoginHint = ""
	}
	if domain := params.Get("domain_hint"); len(domain) <= maxLoginHint {
		req.DomainHint = domain
	}
	token := params.Get("id_token_hint")
	if token == "" {
		return nil
	}
	hintClaims, err := h.HintVerifier.VerifyHint(token)
	if err != nil {
		return oauthError("id_token_hint", "invalid_request", "id_token_hint is not an ID token of this issuer")
	}
	requestedSubject := req.HintSubject // of the claims parameter
	if requestedSubject != "" && requestedSubject != hintClaims.Subject {
		return oauthError(
			"id_token_hint",
			"invalid_request",
			"id_token_hint and the claims parameter name different subjects",
		)
	}
	req.HintSubject = hintClaims.Subject
	return nil
}
