package signin

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// interaction is an authorization request that was found good, as it travels in handles. Names are short because a handle has 4 kB.
type interaction struct {
	ClientID        string            `json:"c,omitempty"` // empty: the person goes to one of our own pages
	ReturnPath      string            `json:"t,omitempty"` // then: the path of that page
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
	HintSubject     string            `json:"h,omitempty"` // sub that id_token_hint or the claims parameter names
	LoginHint       string            `json:"u,omitempty"`
	ConsentSession  storage.SessionID `json:"f,omitempty"` // whose session a consent page was shown to
	ReceivedAt      int64             `json:"z"`           // when the request came, milliseconds: prompt=login wants an authentication after it
	UseOtherAccount bool              `json:"o,omitempty"` // the person wants to use another account
	AccountSelected bool              `json:"k,omitempty"` // the account was chosen (select_account)
	SignInConfirmed bool              `json:"g,omitempty"` // the person confirmed signing in again after signing out
	ConsentGiven    bool              `json:"d,omitempty"` // Person gave consent on this request's page
}

func (req *interaction) hasPrompt(prompt string) bool { return slices.Contains(req.Prompt, prompt) }
func (req *interaction) hasResponseType(responseType string) bool {
	return slices.Contains(req.ResponseType, responseType)
}

// responseCarriesTokens tells whether the authorization response itself carries tokens (implicit, hybrid).
func (req *interaction) responseCarriesTokens() bool {
	return req.hasResponseType("token") || req.hasResponseType("id_token")
}

// needsReauthentication tells whether the authentication is too old for this request (Core §3.1.2.1 prompt, max_age).
func (req *interaction) needsReauthentication(authTime time.Time) bool {
	receivedAt := time.UnixMilli(req.ReceivedAt)
	if req.hasPrompt("login") && authTime.Before(receivedAt) {
		return true
	}
	// max_age counts from the request, so that the time at a consent page does not make a sign-in too old.
	return req.MaxAge != nil && authTime.Before(receivedAt) && receivedAt.Sub(authTime).Seconds() > float64(*req.MaxAge)
}

// coveredBy tells whether what was allowed before covers this request.
func (req *interaction) coveredBy(c storage.Consent) bool {
	for _, s := range req.Scope {
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
