package signin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// interaction is a valid authorization request that waits for the user. It is not stored: the URLs and forms of the
// pages carry it, sealed and bound to the browser. Its JSON names are short to keep those URLs short.
type interaction struct {
	ClientID        string            `json:"c,omitempty"` // empty: the user goes to one of Curfew's own pages
	ReturnPath      string            `json:"t,omitempty"` // the path of that page, if ClientID is empty
	RedirectURI     string            `json:"r,omitempty"`
	ResponseType    []string          `json:"y,omitempty"` // sorted
	ResponseMode    string            `json:"m,omitempty"`
	Scope           []string          `json:"s,omitempty"`
	State           string            `json:"a,omitempty"`
	Nonce           string            `json:"n,omitempty"`
	CodeChallenge   string            `json:"p,omitempty"` // PKCE, S256
	Prompt          []string          `json:"q,omitempty"`
	MaxAge          *int              `json:"x,omitempty"` // seconds
	Claims          json.RawMessage   `json:"l,omitempty"`
	HintSubject     string            `json:"h,omitempty"` // the sub in id_token_hint or in the claims parameter
	LoginHint       string            `json:"u,omitempty"`
	ConsentSession  storage.SessionID `json:"f,omitempty"` // the session to which a consent page was shown
	ReceivedAt      int64             `json:"z"`           // Unix milliseconds
	UseOtherAccount bool              `json:"o,omitempty"` // the user wants to sign in with another account
	AccountSelected bool              `json:"k,omitempty"` // the user chose the account (select_account)
	SignInConfirmed bool              `json:"g,omitempty"` // the user confirmed signing in again after signing out
	ConsentGiven    bool              `json:"d,omitempty"` // the user gave consent on this request's page
	Method          string            `json:"e,omitempty"` // the authenticator that the user chose; empty: the first
	MethodState     json.RawMessage   `json:"b,omitempty"` // state that the authenticator's page sealed
	ACR             string            `json:"v,omitempty"` // the weakest requested acr that is supported
	EssentialACR    bool              `json:"w,omitempty"` // the request fails without it
	First           *firstFactor      `json:"1,omitempty"` // a correct password that waits for the second factor

	DomainHint  string             `json:"2,omitempty"` // leads to the upstream of that domain
	Routed      bool               `json:"3,omitempty"` // a hint has led the browser to an upstream already
	Flow        *upstream.Flow     `json:"4,omitempty"` // the sign-in at an upstream that is under way
	Problem     *templates.Problem `json:"5,omitempty"` // why a sign-in at an upstream counts for nothing
	Link        *storage.Identity  `json:"6,omitempty"` // the account to link after a sign-in by other means
	LinkSession storage.SessionID  `json:"7,omitempty"` // the session to whose user the account is linked
}

// maxRequestSize is the maximum size of an authorization request as JSON, in bytes. A request of this size can be
// sealed as an interaction in every step.
const maxRequestSize = 11_000

// checkSize refuses a request that is too large to seal. It also applies to users who are already signed in and see no
// page, so that the same request works for every user.
func (req *interaction) checkSize() error {
	encoded, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if len(encoded) > maxRequestSize {
		return oauthError(
			"",
			"invalid_request",
			"the request is too large: state, nonce, claims and redirect_uri together may have about 10000 characters",
		)
	}
	return nil
}

func (req *interaction) hasPrompt(prompt string) bool { return slices.Contains(req.Prompt, prompt) }

func (req *interaction) hasResponseType(responseType string) bool {
	return slices.Contains(req.ResponseType, responseType)
}

// responseCarriesTokens reports whether the authorization response itself contains tokens (implicit or hybrid flow).
func (req *interaction) responseCarriesTokens() bool {
	return req.hasResponseType("token") || req.hasResponseType("id_token")
}

// nonceBindsCode reports whether the nonce protects the code as PKCE does: the code's exchange returns an ID token with
// this nonce, so that the client detects an injected code (RFC 9700 §2.1.1). It is false for the hybrid flow.
func (req *interaction) nonceBindsCode() bool {
	codeOnly := len(req.ResponseType) == 1 && req.hasResponseType("code")
	return codeOnly && req.Nonce != "" && slices.Contains(req.Scope, "openid")
}

// needsReauthentication reports whether prompt=login or max_age requires a later authentication (Core §3.1.2.1).
func (req *interaction) needsReauthentication(authTime time.Time) bool {
	receivedAt := time.UnixMilli(req.ReceivedAt)
	if req.hasPrompt("login") && authTime.Before(receivedAt) {
		return true
	}
	if req.MaxAge == nil {
		return false
	}
	// max_age counts until the request arrived, so time on a consent page does not make a sign-in too old.
	age := receivedAt.Sub(authTime)
	return age > 0 && age.Seconds() > float64(*req.MaxAge)
}

// coveredBy reports whether an earlier consent covers this request. A client that registered itself can change its
// name, logo and host at any time, so a consent to it covers only requests with those that the user saw.
func (req *authRequest) coveredBy(c storage.Consent, app *templates.App) bool {
	if req.clientRecord.Dynamic && !sameApp(c, app) {
		return false
	}
	for _, s := range req.granted {
		if !slices.Contains(c.Scope, s) {
			return false
		}
	}
	for _, name := range tokens.OutOfScopeClaims(req.Claims, c.Scope) {
		if !slices.Contains(c.Claims, name) {
			return false
		}
	}
	return true
}

// sameApp reports whether the consent page showed this name, logo and host of the app.
func sameApp(c storage.Consent, app *templates.App) bool {
	return c.AppName == app.Name && c.AppLogoURI == app.LogoURI && slices.Contains(c.AppHosts, app.Host)
}

// redirectToInteraction seals the request for this browser and redirects to the page of the next step.
func (h *Handler) redirectToInteraction(
	w http.ResponseWriter,
	r *http.Request,
	req *authRequest,
	purpose, path string,
) error {
	interactionID, err := h.Site.SealInteraction(w, r, purpose, req.interaction, interactionLifetime)
	if err != nil {
		return h.answerError(w, r, req, err)
	}
	web.Redirect(w, h.Site.Path(path+interactionID))
	return nil
}

// openInteraction opens the interaction in the path and reads its client again. It returns an error page if the client
// no longer allows the request.
func (h *Handler) openInteraction(r *http.Request, purpose string) (*authRequest, error) {
	return h.openRequest(r, purpose, r.PathValue("interaction"))
}

// openRequest is openInteraction for an interaction that is not in the path.
func (h *Handler) openRequest(r *http.Request, purpose, text string) (*authRequest, error) {
	sequence, err := h.Store.Sequence(r.Context())
	if err != nil {
		return nil, err
	}
	req := authRequest{sequence: sequence}
	if _, err := h.Site.OpenInteraction(r, purpose, text, &req.interaction); err != nil {
		return nil, err
	}
	if req.ClientID == "" {
		return &req, nil
	}
	client, err := h.enabledClient(r.Context(), req.ClientID)
	if err != nil {
		return nil, err
	}
	if !client.AllowsRedirectURI(req.RedirectURI) {
		return nil, unregisteredRedirectURI(client.ClientID, req.RedirectURI)
	}
	req.clientRecord = client
	req.redirectURIVerified = true
	req.pageShown = true
	lacksPKCE := req.hasResponseType("code") && req.CodeChallenge == "" && !client.MayOmitPKCE(req.nonceBindsCode())
	if lacksPKCE || !req.responseTypeRegistered() {
		return nil, web.PageError{
			Text:    templates.ErrorRequestNotAllowed,
			Reason:  "response_type or PKCE of a request in progress no longer fit the client's metadata",
			Subject: web.Subject{Client: client.ClientID},
		}
	}
	return &req, nil
}
