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
)

// authRequest is what is known of a request while it is read. Once the redirect URI is proven, errors go to the application.
type authRequest struct {
	interaction
	clientRecord        *storage.Client
	redirectURIVerified bool
}

// oauthError is an error for the application.
func oauthError(code, description string) error {
	return web.OAuthError{Code: code, Description: description}
}

// parse reads an authorization request (Core §3.1.2.1, §3.2.2.1, §3.3.2.1). Unknown parameters are ignored. Where the answer has
// proven set, an error goes to the application; otherwise it is for the person's eyes only.
func (h *Handler) parse(r *http.Request) (req authRequest, err error) {
	values, err := web.Params(r)
	if values == nil {
		return req, err
	}
	if err != nil {
		// Only if who asks and where the answer goes are beyond doubt may the application hear of it.
		for _, name := range []string{"client_id", "redirect_uri"} {
			if len(values[name]) > 1 {
				return req, web.RepeatedParamError{Name: name}
			}
		}
		if clientErr := h.resolveClient(r.Context(), &req, values); clientErr != nil {
			return req, clientErr
		}
		return req, oauthError("invalid_request", err.Error())
	}
	values, err = h.RequestObjects.Merge(r.Context(), values, h.enabledClient)
	if err != nil {
		// The object could not be read: what stands outside it says where the error goes.
		if clientErr := h.resolveClient(r.Context(), &req, values); clientErr != nil {
			return req, clientErr
		}
		return req, err
	}
	if err := h.resolveClient(r.Context(), &req, values); err != nil {
		return req, err
	}
	req.ReceivedAt = h.Site.Now().UnixMilli()
	for _, read := range []func(*authRequest, url.Values) error{h.readResponseType, h.readScope, h.readPKCE, h.readPrompt, h.readHints} {
		if err := read(&req, values); err != nil {
			return req, err
		}
	}
	return req, nil
}

// resolveClient finds the client and compares the redirect URI with the registered ones, byte for byte (RFC 9700 §2.1).
func (h *Handler) resolveClient(ctx context.Context, req *authRequest, params url.Values) error {
	// What an error response needs is read first, whatever else is wrong. A mode that cannot be used gives way to the default.
	req.State = params.Get("state")
	req.ResponseType = strings.Fields(params.Get("response_type"))
	slices.Sort(req.ResponseType)
	if mode := params.Get("response_mode"); h.checkResponseMode(req, mode, params.Get("redirect_uri")) == nil {
		req.ResponseMode = mode
	}

	if params.Get("client_id") == "" {
		return newPageError("The request names no client_id.", "")
	}
	client, err := h.enabledClient(ctx, params.Get("client_id"))
	if err != nil {
		return err
	}
	uri := params.Get("redirect_uri")
	switch {
	case uri == "":
		return newPageError("The request names no redirect_uri.", "")
	case !redirectURIRegistered(client, uri):
		return newPageError("The redirect_uri is not registered for this application.", "Go back to the application. Its owner has to register the redirect_uri exactly as it is sent.")
	}
	req.clientRecord, req.ClientID, req.RedirectURI, req.redirectURIVerified = client, client.ClientID, uri, true
	return nil
}

// checkResponseMode tells what is wrong with a response mode.
func (h *Handler) checkResponseMode(req *authRequest, mode, redirectURI string) error {
	switch mode {
	case "", "fragment":
	case "query":
		if req.responseCarriesTokens() { // Multiple Response Types §5: it would put tokens into logs and histories
			return oauthError("invalid_request", "response_mode query may not carry tokens")
		}
	case "form_post":
		if web.Origin(redirectURI) == "" {
			return oauthError("invalid_request", "response_mode form_post needs a redirect_uri with a host")
		}
	default:
		return oauthError("invalid_request", "response_mode is none of query, fragment, form_post")
	}
	return nil
}

// enabledClient finds an enabled client; what is wrong otherwise is a fault for the person.
func (h *Handler) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	client, err := h.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled {
		return nil, newPageError("The client_id is not one of an application that is known here.", "")
	}
	return client, err
}

// redirectURIRegistered compares byte for byte; only a native application's port on a loopback address may differ (RFC 8252 §7.3).
func redirectURIRegistered(c *storage.Client, uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if c.ApplicationType != "native" {
		return false
	}
	wanted, ok := cutLoopbackPort(uri)
	return ok && slices.ContainsFunc(c.RedirectURIs, func(r string) bool {
		registered, ok := cutLoopbackPort(r)
		return ok && registered == wanted
	})
}

// cutLoopbackPort cuts the port out of http://127.0.0.1:port/… or http://[::1]:port/…, leaving every other byte.
func cutLoopbackPort(uri string) (string, bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		authority, path := rest, ""
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			authority, path = rest[:i], rest[i:]
		}
		if port, ok := strings.CutPrefix(authority, ":"); ok {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return "", false
			}
		} else if authority != "" {
			return "", false
		}
		return host + path, true
	}
	return "", false
}

func (h *Handler) readResponseType(req *authRequest, params url.Values) error {
	if len(req.ResponseType) == 0 {
		return oauthError("invalid_request", "response_type is missing")
	}
	if !slices.Contains(register.ResponseTypes(), canonicalResponseType(req.ResponseType)) {
		return oauthError("unsupported_response_type", "response_type is none of those in the discovery document")
	}
	if !req.responseTypeRegistered() {
		return oauthError("unauthorized_client", "this response_type is not registered for the client")
	}
	if err := h.checkResponseMode(req, params.Get("response_mode"), req.RedirectURI); err != nil {
		return err
	}
	req.Nonce = params.Get("nonce")
	if req.Nonce == "" && req.hasResponseType("id_token") {
		return oauthError("invalid_request", "nonce is required where the authorization response carries an ID token")
	}
	return nil
}

// responseTypeRegistered tells whether the client is registered for this response type.
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

// readScope keeps what the client may ask for. A scope that is not understood is ignored (Core §3.1.2.1), and so is offline_access where it
// cannot be given (Core §11).
func (h *Handler) readScope(req *authRequest, params url.Values) error {
	for _, s := range req.clientRecord.AllowedScope(strings.Fields(params.Get("scope"))) {
		if slices.Contains(req.Scope, s) || !slices.Contains(tokens.Scopes(), s) {
			continue
		}
		if s == "offline_access" && (!req.hasResponseType("code") || !slices.Contains(strings.Fields(params.Get("prompt")), "consent") || !req.clientRecord.MayHoldOfflineAccess()) {
			continue
		}
		req.Scope = append(req.Scope, s)
	}
	if !slices.Contains(req.Scope, "openid") {
		return oauthError("invalid_scope", "scope must contain openid")
	}
	if text := params.Get("claims"); text != "" {
		claims, err := tokens.ParseClaimsRequest(text)
		if err != nil {
			return oauthError("invalid_request", err.Error())
		}
		req.Claims = claims.RestrictTo(req.clientRecord).Raw() // only what is understood and may be had travels on, so that the handle stays small
		var unique bool
		if req.HintSubject, unique = claims.Subject(); !unique {
			// Core §3.1.2.2: nobody may be answered with another person than the one asked for.
			return oauthError("invalid_request", "claims asks for a sub that is not that of one person")
		}
		if acr := claims.IDToken["acr"]; acr != nil && acr.Essential && !slices.ContainsFunc(authn.ACRValues(), func(v string) bool { return acr.Accepts(v) }) {
			// Core §5.5.1.1: an essential acr that cannot be met is a failed authentication attempt.
			return oauthError("access_denied", "none of the acr values asked for as essential can be reached")
		}
	}
	return nil
}

// readPKCE holds the client to RFC 7636 with S256.
func (h *Handler) readPKCE(req *authRequest, params url.Values) error {
	challenge, method := params.Get("code_challenge"), params.Get("code_challenge_method")
	switch {
	case !req.hasResponseType("code"):
		return nil
	case challenge == "" && method == "":
		if req.clientRecord.RequiresPKCE() {
			return oauthError("invalid_request", "code_challenge is required, with code_challenge_method S256 (RFC 7636)")
		}
		return nil
	case method != "S256": // an absent method means plain (RFC 7636 §4.3)
		return oauthError("invalid_request", "code_challenge_method must be S256")
	case len(challenge) != 43 || strings.Trim(challenge, base64URLAlphabet) != "":
		return oauthError("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	req.CodeChallenge = challenge
	return nil
}

const base64URLAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func (h *Handler) readPrompt(req *authRequest, params url.Values) error {
	req.Prompt = strings.Fields(params.Get("prompt"))
	for _, prompt := range req.Prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, prompt) {
			return oauthError("invalid_request", "prompt is none of none, login, consent, select_account")
		}
	}
	if req.hasPrompt("none") && len(req.Prompt) > 1 {
		return oauthError("invalid_request", "prompt none stands alone")
	}
	req.MaxAge = req.clientRecord.DefaultMaxAge
	if text := params.Get("max_age"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return oauthError("invalid_request", "max_age is not a number of seconds")
		}
		req.MaxAge = &n
	}
	// acr_values is voluntary (Core §3.1.2.1), and there is one class only: the acr claim says which it was.
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
			return oauthError("invalid_request", "id_token_hint is not an ID token of this issuer")
		}
		if req.HintSubject != "" && req.HintSubject != hintClaims.Subject {
			return oauthError("invalid_request", "id_token_hint and the claims parameter name different subjects")
		}
		req.HintSubject = hintClaims.Subject
	}
	return nil
}
