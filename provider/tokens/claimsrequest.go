package tokens

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// ClaimsMax is how long the claims parameter may be.
const ClaimsMax = 2048

// ErrClaims: the claims parameter is not as Core §5.5 describes it.
var ErrClaims = errors.New("claims is not a JSON object of at most 2048 bytes as in OpenID Connect Core 1.0, section 5.5")

// ClaimsRequest is the claims parameter (Core §5.5). A nil Wish asks for the claim in the default manner.
type ClaimsRequest struct {
	IDToken  map[string]*Wish `json:"id_token,omitempty"`
	UserInfo map[string]*Wish `json:"userinfo,omitempty"`
}

// Wish is how one claim is asked for (Core §5.5.1).
type Wish struct {
	Essential bool  `json:"essential,omitempty"`
	Value     any   `json:"value,omitempty"`
	Values    []any `json:"values,omitempty"`
}

// ParseClaims reads the claims parameter. What is not understood is ignored, as Core §5.5 demands, and does not travel on. ErrClaims.
func ParseClaims(text string) (ClaimsRequest, error) {
	if len(text) > ClaimsMax {
		return ClaimsRequest{}, ErrClaims
	}
	var c ClaimsRequest
	if json.Unmarshal([]byte(text), &c) != nil {
		return ClaimsRequest{}, ErrClaims
	}
	for _, wishes := range []map[string]*Wish{c.IDToken, c.UserInfo} {
		for name := range wishes {
			if !slices.Contains(claimNames, name) {
				delete(wishes, name)
			}
		}
	}
	return c, nil
}

// Within is the request without claims of scopes that the client may not have.
func (c ClaimsRequest) Within(client *storage.Client) ClaimsRequest {
	if client.Scope == "" {
		return c
	}
	for _, wishes := range []map[string]*Wish{c.IDToken, c.UserInfo} {
		maps.DeleteFunc(wishes, func(name string, _ *Wish) bool {
			scope := scopeOf(name)
			return scope != "" && len(Within(client, []string{scope})) == 0
		})
	}
	return c
}

// Subject is the sub that an ID token is asked for with (Core §5.5.1), empty if any will do; false if it is not one text.
func (c ClaimsRequest) Subject() (sub string, ok bool) {
	wish := c.IDToken["sub"]
	if wish == nil || wish.Value == nil && len(wish.Values) == 0 {
		return "", true
	}
	value := wish.Value
	if value == nil && len(wish.Values) == 1 {
		value = wish.Values[0]
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

// Beyond are the claims about the person that a request, as Raw wrote it, asks for by name and that scopes do not give; in order. What it asks
// about the sign-in tells nothing of the person.
func Beyond(raw json.RawMessage, scopes []string) []string {
	var names []string
	c := readWishes(raw)
	for _, wishes := range []map[string]*Wish{c.IDToken, c.UserInfo} {
		for name := range wishes {
			if scope := scopeOf(name); scope != "" && !slices.Contains(scopes, scope) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// wishesOf reads what Raw wrote, as far as the client may still have it.
func wishesOf(raw json.RawMessage, client *storage.Client) ClaimsRequest {
	return readWishes(raw).Within(client)
}

func readWishes(raw json.RawMessage) (c ClaimsRequest) {
	if len(raw) > 0 && json.Unmarshal(raw, &c) != nil {
		return ClaimsRequest{}
	}
	return c
}

// Accepts tells whether a value is one of those asked for; without any asked for, each is.
func (w *Wish) Accepts(value any) bool {
	if n, ok := value.(int64); ok {
		value = float64(n) // as JSON numbers come
	}
	switch {
	case w == nil || w.Value == nil && len(w.Values) == 0:
		return true
	case w.Value != nil:
		return reflect.DeepEqual(w.Value, value)
	}
	return slices.ContainsFunc(w.Values, func(v any) bool { return reflect.DeepEqual(v, value) })
}
