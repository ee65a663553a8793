package tokens

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// MaxClaimsLength is the maximum length of the claims parameter, in bytes.
const MaxClaimsLength = 2048

// ErrInvalidClaimsRequest says that the claims parameter violates Core §5.5 or is too long.
var ErrInvalidClaimsRequest = errors.New(
	"claims is not a JSON object of at most 2048 bytes as in OpenID Connect Core 1.0, section 5.5",
)

// ClaimsRequest is the claims parameter (Core §5.5). A nil RequestedClaim accepts every value of the claim.
type ClaimsRequest struct {
	IDToken  map[string]*RequestedClaim `json:"id_token,omitempty"`
	UserInfo map[string]*RequestedClaim `json:"userinfo,omitempty"`
}

// RequestedClaim are the conditions on one requested claim (Core §5.5.1).
type RequestedClaim struct {
	Essential bool  `json:"essential,omitempty"`
	Value     any   `json:"value,omitempty"`
	Values    []any `json:"values,omitempty"`
}

// ParseClaimsRequest parses the claims parameter. It ignores and removes unsupported claims, as Core §5.5 requires. It
// returns ErrInvalidClaimsRequest for an invalid parameter.
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

// RestrictTo removes the claims of scopes that the client may not have from the maps of c, and returns c.
func (c ClaimsRequest) RestrictTo(client *storage.Client) ClaimsRequest {
	if client.Scope == "" {
		return c
	}
	for _, requested := range []map[string]*RequestedClaim{c.IDToken, c.UserInfo} {
		maps.DeleteFunc(requested, func(name string, _ *RequestedClaim) bool {
			scope := storage.ScopeOfClaim(name)
			return scope != "" && len(client.AllowedScope([]string{scope})) == 0
		})
	}
	return c
}

// Subject returns the sub that the ID token must have (Core §5.5.1), or "" if every sub is accepted. ok is false if the
// request does not contain exactly one string as the value.
func (c ClaimsRequest) Subject() (sub string, ok bool) {
	requested := c.IDToken["sub"]
	if !requested.hasValue() {
		return "", true
	}
	value := requested.Value
	if value == nil && len(requested.Values) == 1 {
		value = requested.Values[0]
	}
	sub, _ = value.(string)
	return sub, sub != ""
}

// Raw returns the request as JSON, for codes and grants. It returns nil if no claim is requested.
func (c ClaimsRequest) Raw() json.RawMessage {
	if len(c.IDToken) == 0 && len(c.UserInfo) == 0 {
		return nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil // cannot happen: all values come from JSON
	}
	return raw
}

// OutOfScopeClaims returns the requested claims about the user that scopes do not include, in alphabetical order. raw
// comes from Raw. The result has no claims about the authentication, which reveal nothing about the user.
func OutOfScopeClaims(raw json.RawMessage, scopes []string) []string {
	var names []string
	c := parseStoredClaims(raw)
	for _, requested := range []map[string]*RequestedClaim{c.IDToken, c.UserInfo} {
		for name := range requested {
			scope := storage.ScopeOfClaim(name)
			isOutOfScope := scope != "" && !slices.Contains(scopes, scope)
			if isOutOfScope && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// parseAllowedClaims parses a request from Raw and removes the claims that the client may not have any more.
func parseAllowedClaims(raw json.RawMessage, client *storage.Client) ClaimsRequest {
	return parseStoredClaims(raw).RestrictTo(client)
}

// parseStoredClaims parses a request from Raw.
func parseStoredClaims(raw json.RawMessage) (c ClaimsRequest) {
	if len(raw) > 0 && json.Unmarshal(raw, &c) != nil {
		return ClaimsRequest{}
	}
	return c
}

// hasValue reports whether the request requires a value.
func (r *RequestedClaim) hasValue() bool { return r != nil && (r.Value != nil || len(r.Values) > 0) }

// Accepts reports whether the request allows this value.
func (r *RequestedClaim) Accepts(value any) bool {
	if n, ok := value.(int64); ok {
		value = float64(n) // the type of numbers that come from JSON
	}
	if list, ok := value.([]string); ok {
		value = jsonList(list)
	}
	switch {
	case !r.hasValue():
		return true
	case r.Value != nil:
		return reflect.DeepEqual(r.Value, value)
	}
	return slices.ContainsFunc(r.Values, func(v any) bool { return reflect.DeepEqual(v, value) })
}

// jsonList returns the list with the types of a JSON array.
func jsonList(list []string) []any {
	values := make([]any, len(list))
	for i, text := range list {
		values[i] = text
	}
	return values
}
