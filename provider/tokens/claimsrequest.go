package tokens

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// MaxClaimsLength is how long the claims parameter may be.
const MaxClaimsLength = 2048

// ErrInvalidClaimsRequest: the claims parameter is not as Core §5.5 describes it.
var ErrInvalidClaimsRequest = errors.New(
	"claims is not a JSON object of at most 2048 bytes as in OpenID Connect Core 1.0, section 5.5",
)

// ClaimsRequest is the claims parameter (Core §5.5). A nil Wish asks for the claim in the default manner.
type ClaimsRequest struct {
	IDToken  map[string]*RequestedClaim `json:"id_token,omitempty"`
	UserInfo map[string]*RequestedClaim `json:"userinfo,omitempty"`
}

// RequestedClaim is how one claim is asked for (Core §5.5.1).
type RequestedClaim struct {
	Essential bool  `json:"essential,omitempty"`
	Value     any   `json:"value,omitempty"`
	Values    []any `json:"values,omitempty"`
}

// ParseClaimsRequest reads the claims parameter. What is not understood is ignored, as Core §5.5 demands, and does
// not travel on. ErrClaims.
func ParseClaimsRequest(text string) (ClaimsRequest, error) {
	if len(text) > MaxClaimsLength {
		return ClaimsRequest{}, ErrInvalidClaimsRequest
	}
	var c ClaimsRequest
	if json.Unmarshal([]byte(text), &c) != nil {
		return ClaimsRequest{}, ErrInvalidClaimsRequest
	}
	for _, requested := range []map[string]*RequestedClaim{c.IDToken, c.UserInfo} {
		for name := range requested {
			if !slices.Contains(requestableClaims, name) {
				delete(requested, name)
			}
		}
	}
	return c, nil
}

// RestrictTo is the request without claims of scopes that the client may not have.
func (c ClaimsRequest) RestrictTo(client *storage.Client) ClaimsRequest {
	if client.Scope == "" {
		return c
	}
	for _, requested := range []map[string]*RequestedClaim{c.IDToken, c.UserInfo} {
		maps.DeleteFunc(requested, func(name string, _ *RequestedClaim) bool {
			scope := scopeOf(name)
			return scope != "" && len(client.AllowedScope([]string{scope})) == 0
		})
	}
	return c
}

// Subject is the sub that an ID token is asked for with (Core §5.5.1), empty if any will do; false if it is not one
// text.
func (c ClaimsRequest) Subject() (sub string, ok bool) {
	requested := c.IDToken["sub"]
	if requested == nil || requested.Value == nil && len(requested.Values) == 0 {
		return "", true
	}
	value := requested.Value
	if value == nil && len(requested.Values) == 1 {
		value = requested.Values[0]
	}
	sub, _ = value.(string)
	return sub, sub != ""
}

// Raw is the request as a grant keeps it; nil if it asks for nothing.
func (c ClaimsRequest) Raw() json.RawMessage {
	if len(c.IDToken) == 0 && len(c.UserInfo) == 0 {
		return nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil // what was read from JSON can be written as JSON
	}
	return raw
}

// OutOfScopeClaims are the claims about the user that a request, as Raw wrote it, asks for by name and that scopes do
// not give; in order. What it asks about the sign-in reveals nothing about the user.
func OutOfScopeClaims(raw json.RawMessage, scopes []string) []string {
	var names []string
	c := parseStoredClaims(raw)
	for _, requested := range []map[string]*RequestedClaim{c.IDToken, c.UserInfo} {
		for name := range requested {
			if scope := scopeOf(name); scope != "" && !slices.Contains(scopes, scope) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// parseAllowedClaims reads what Raw wrote, as far as the client may still have it.
func parseAllowedClaims(raw json.RawMessage, client *storage.Client) ClaimsRequest {
	return parseStoredClaims(raw).RestrictTo(client)
}

func parseStoredClaims(raw json.RawMessage) (c ClaimsRequest) {
	if len(raw) > 0 && json.Unmarshal(raw, &c) != nil {
		return ClaimsRequest{}
	}
	return c
}

// Accepts reports whether a value is one of those asked for; without any asked for, each is.
func (r *RequestedClaim) Accepts(value any) bool {
	if n, ok := value.(int64); ok {
		value = float64(n) // as JSON numbers come
	}
	switch {
	case r == nil || r.Value == nil && len(r.Values) == 0:
		return true
	case r.Value != nil:
		return reflect.DeepEqual(r.Value, value)
	}
	return slices.ContainsFunc(r.Values, func(v any) bool { return reflect.DeepEqual(v, value) })
}
