package signin

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// request is an authorization request that was found good, as it travels in handles. Names are short because a handle has 4 kB.
type request struct {
	Client       string            `json:"c,omitempty"` // empty: the person goes to one of our own pages
	Return       string            `json:"t,omitempty"` // then: the path of that page
	RedirectURI  string            `json:"r,omitempty"`
	ResponseType []string          `json:"y,omitempty"` // sorted
	ResponseMode string            `json:"m,omitempty"`
	Scope        []string          `json:"s,omitempty"`
	State        string            `json:"a,omitempty"`
	Nonce        string            `json:"n,omitempty"`
	Challenge    string            `json:"p,omitempty"` // PKCE, S256
	Prompt       []string          `json:"q,omitempty"`
	MaxAge       *int              `json:"x,omitempty"` // seconds
	Claims       json.RawMessage   `json:"l,omitempty"`
	HintSubject  string            `json:"h,omitempty"` // sub that id_token_hint or the claims parameter names
	LoginHint    string            `json:"u,omitempty"`
	Person       storage.SessionID `json:"f,omitempty"` // whose session a consent page was shown to
	Since        int64             `json:"z"`           // when the request came, milliseconds: prompt=login wants an authentication after it
	Other        bool              `json:"o,omitempty"` // the person wants to use another account
	Chosen       bool              `json:"k,omitempty"` // the account was chosen (select_account)
	Again        bool              `json:"g,omitempty"` // the person confirmed signing in again after signing out
	Consented    bool              `json:"d,omitempty"` // Person gave consent on this request's page
}

func (q *request) has(prompt string) bool { return slices.Contains(q.Prompt, prompt) }
func (q *request) wants(responseType string) bool {
	return slices.Contains(q.ResponseType, responseType)
}

// frontTokens tells whether the authorization response itself carries tokens (implicit, hybrid).
func (q *request) frontTokens() bool { return q.wants("token") || q.wants("id_token") }

// stale tells whether the authentication is too old for this request (Core §3.1.2.1 prompt, max_age).
func (q *request) stale(authTime time.Time) bool {
	since := time.UnixMilli(q.Since)
	if q.has("login") && authTime.Before(since) {
		return true
	}
	// max_age counts from the request, so that the time at a consent page does not make a sign-in too old.
	return q.MaxAge != nil && authTime.Before(since) && since.Sub(authTime).Seconds() > float64(*q.MaxAge)
}

// covered tells whether what was allowed before covers this request.
func (q *request) covered(c storage.Consent) bool {
	for _, s := range q.Scope {
		if !slices.Contains(c.Scope, s) {
			return false
		}
	}
	for _, name := range tokens.Beyond(q.Claims, c.Scope) {
		if !slices.Contains(c.Claims, name) {
			return false
		}
	}
	return true
}
