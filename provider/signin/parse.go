package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// parsed is what is known of a request while it is read. Once the redirect URI is proven, errors go to the application.
type parsed struct {
	request
	client *storage.Client
	proven bool
}

// refuse is an error for the application.
func refuse(code, description string) error {
	return web.OAuthError{Code: code, Description: description}
}

// parse reads an authorization request (Core §3.1.2.1, §3.2.2.1, §3.3.2.1). Unknown parameters are ignored. Where the answer has
// proven set, an error goes to the application; otherwise it is for the person's eyes only.
func (h *Handler) parse(r *http.Request) (p parsed, err error) {
	values, err := web.Params(r)
	if values == nil {
		return p, err
	}
	if err != nil {
		// Only if who asks and where the answer goes are beyond doubt may the application hear of it.
		for _, name := range []string{"client_id", "redirect_uri"} {
			if len(values[name]) > 1 {
				return p, web.RepeatedError{Name: name}
			}
		}
		if faultErr := h.prove(r.Context(), &p, values); faultErr != nil {
			return p, faultErr
		}
		return p, refuse("invalid_request", err.Error())
	}
	values, err = h.Objects.Merge(r.Context(), values, h.clientFor)
	if err != nil {
		// The object could not be read: what stands outside it says where the error goes.
		if faultErr := h.prove(r.Context(), &p, values); faultErr != nil {
			return p, faultErr
		}
		return p, err
	}
	if err := h.prove(r.Context(), &p, values); err != nil {
		return p, err
	}
	p.Since = h.Site.Now().UnixMilli()
	for _, step := range []func(*parsed, url.Values) error{h.readResponse, h.readScope, h.readPKCE, h.readPrompt, h.readHints} {
		if err := step(&p, values); err != nil {
			return p, err
		}
	}
	return p, nil
}

// prove finds the client and compares the redirect URI with the registered ones, byte for byte (RFC 9700 §2.1).
func (h *Handler) prove(ctx context.Context, p *parsed, v url.Values) error {
	// What an error response needs is read first, whatever else is wrong. A mode that cannot be used gives way to the default.
	p.State = v.Get("state")
	p.ResponseType = strings.Fields(v.Get("response_type"))
	slices.Sort(p.ResponseType)
	if mode := v.Get("response_mode"); h.usable(p, mode, v.Get("redirect_uri")) == nil {
		p.ResponseMode = mode
	}

	if v.Get("client_id") == "" {
		return fault("The request names no client_id.", "")
	}
	client, err := h.clientFor(ctx, v.Get("client_id"))
	if err != nil {
		return err
	}
	uri := v.Get("redirect_uri")
	switch {
	case uri == "":
		return fault("The request names no redirect_uri.", "")
	case !registered(client, uri):
		return fault("The redirect_uri is not registered for this application.", "Go back to the application. Its owner has to register the redirect_uri exactly as it is sent.")
	}
	p.client, p.Client, p.RedirectURI, p.proven = client, client.ClientID, uri, true
	return nil
}

// usable tells what is wrong with a response mode.
func (h *Handler) usable(p *parsed, mode, redirectURI string) error {
	switch mode {
	case "", "fragment":
	case "query":
		if p.frontTokens() { // Multiple Response Types §5: it would put tokens into logs and histories
			return refuse("invalid_request", "response_mode query may not carry tokens")
		}
	case "form_post":
		if web.Origin(redirectURI) == "" {
			return refuse("invalid_request", "response_mode form_post needs a redirect_uri with a host")
		}
	default:
		return refuse("invalid_request", "response_mode is none of query, fragment, form_post")
	}
	return nil
}

// clientFor finds an enabled client; what is wrong otherwise is a fault for the person.
func (h *Handler) clientFor(ctx context.Context, id string) (*storage.Client, error) {
	client, err := h.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled {
		return nil, fault("The client_id is not one of an application that is known here.", "")
	}
	return client, err
}

// registered compares byte for byte; only a native application's port on a loopback address may differ (RFC 8252 §7.3).
func registered(c *storage.Client, uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if c.ApplicationType != "native" {
		return false
	}
	bare, ok := withoutPort(uri)
	return ok && slices.ContainsFunc(c.RedirectURIs, func(r string) bool {
		reg, ok := withoutPort(r)
		return ok && reg == bare
	})
}

// withoutPort cuts the port out of http://127.0.0.1:port/… or http://[::1]:port/…, leaving every other byte.
func withoutPort(uri string) (string, bool) {
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

func (h *Handler) readResponse(p *parsed, v url.Values) error {
	if len(p.ResponseType) == 0 {
		return refuse("invalid_request", "response_type is missing")
	}
	if !slices.Contains(register.ResponseTypes(), canonical(p.ResponseType)) {
		return refuse("unsupported_response_type", "response_type is none of those in the discovery document")
	}
	if !p.registersResponse() {
		return refuse("unauthorized_client", "this response_type is not registered for the client")
	}
	if err := h.usable(p, v.Get("response_mode"), p.RedirectURI); err != nil {
		return err
	}
	p.Nonce = v.Get("nonce")
	if p.Nonce == "" && p.wants("id_token") {
		return refuse("invalid_request", "nonce is required where the authorization response carries an ID token")
	}
	return nil
}

// registersResponse tells whether the client is registered for this response type.
func (p *parsed) registersResponse() bool {
	return slices.ContainsFunc(responseTypesOf(p.client), func(t string) bool { return canonical(strings.Fields(t)) == canonical(p.ResponseType) })
}

func canonical(fields []string) string {
	f := slices.Clone(fields)
	slices.Sort(f)
	return strings.Join(f, " ")
}

// responseTypesOf are the registered ones; a client that registered none has code (Registration §2).
func responseTypesOf(c *storage.Client) []string {
	if len(c.ResponseTypes) == 0 {
		return []string{"code"}
	}
	return c.ResponseTypes
}

// readScope keeps what the client may ask for. A scope that is not understood is ignored (Core §3.1.2.1), and so is offline_access where it
// cannot be given (Core §11).
func (h *Handler) readScope(p *parsed, v url.Values) error {
	allowed := strings.Fields(p.client.Scope)
	for _, s := range strings.Fields(v.Get("scope")) {
		if slices.Contains(p.Scope, s) || !slices.Contains(tokens.Scopes(), s) || len(allowed) > 0 && !slices.Contains(allowed, s) {
			continue
		}
		if s == "offline_access" && (!p.wants("code") || !slices.Contains(strings.Fields(v.Get("prompt")), "consent") || !logout.MayHoldOffline(p.client)) {
			continue
		}
		p.Scope = append(p.Scope, s)
	}
	if !slices.Contains(p.Scope, "openid") {
		return refuse("invalid_scope", "scope must contain openid")
	}
	if text := v.Get("claims"); text != "" {
		claims, err := tokens.ParseClaims(text)
		if err != nil {
			return refuse("invalid_request", err.Error())
		}
		p.Claims = claims.Within(p.client).Raw() // only what is understood and may be had travels on, so that the handle stays small
		var one bool
		if p.HintSubject, one = claims.Subject(); !one {
			// Core §3.1.2.2: nobody may be answered with another person than the one asked for.
			return refuse("invalid_request", "claims asks for a sub that is not that of one person")
		}
		if acr := claims.IDToken["acr"]; acr != nil && acr.Essential && !slices.ContainsFunc(tokens.ACRValues(), func(v string) bool { return acr.Accepts(v) }) {
			// Core §5.5.1.1: an essential acr that cannot be met is a failed authentication attempt.
			return refuse("access_denied", "none of the acr values asked for as essential can be reached")
		}
	}
	return nil
}

// readPKCE holds the client to RFC 7636 with S256.
func (h *Handler) readPKCE(p *parsed, v url.Values) error {
	challenge, method := v.Get("code_challenge"), v.Get("code_challenge_method")
	switch {
	case !p.wants("code"):
		return nil
	case challenge == "" && method == "":
		if needsPKCE(p.client) {
			return refuse("invalid_request", "code_challenge is required, with code_challenge_method S256 (RFC 7636)")
		}
		return nil
	case method != "S256": // an absent method means plain (RFC 7636 §4.3)
		return refuse("invalid_request", "code_challenge_method must be S256")
	case len(challenge) != 43 || strings.Trim(challenge, base64url) != "":
		return refuse("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	p.Challenge = challenge
	return nil
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// needsPKCE: always, unless the client's metadata says otherwise. Registration does not let a public client say so.
func needsPKCE(c *storage.Client) bool {
	return c.RequirePKCE == nil || *c.RequirePKCE
}

func (h *Handler) readPrompt(p *parsed, v url.Values) error {
	p.Prompt = strings.Fields(v.Get("prompt"))
	for _, prompt := range p.Prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, prompt) {
			return refuse("invalid_request", "prompt is none of none, login, consent, select_account")
		}
	}
	if p.has("none") && len(p.Prompt) > 1 {
		return refuse("invalid_request", "prompt none stands alone")
	}
	p.MaxAge = p.client.DefaultMaxAge
	if text := v.Get("max_age"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return refuse("invalid_request", "max_age is not a number of seconds")
		}
		p.MaxAge = &n
	}
	// acr_values is voluntary (Core §3.1.2.1), and there is one class only: the acr claim says which it was.
	return nil
}

func (h *Handler) readHints(p *parsed, v url.Values) error {
	p.LoginHint = v.Get("login_hint")
	if len(p.LoginHint) > 256 {
		p.LoginHint = ""
	}
	if hint := v.Get("id_token_hint"); hint != "" {
		hinted, err := h.Hints.VerifyHint(hint)
		if err != nil {
			return refuse("invalid_request", "id_token_hint is not an ID token of this issuer")
		}
		if p.HintSubject != "" && p.HintSubject != hinted.Subject {
			return refuse("invalid_request", "id_token_hint and the claims parameter name different subjects")
		}
		p.HintSubject = hinted.Subject
	}
	return nil
}
