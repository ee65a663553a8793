package storage

import (
	"slices"
	"strings"
)

// APIScope is a scope of an API that the operator declared (RFC 6749 §3.3). The JSON names are its keys in the
// configuration; docs/groups.md explains them.
type APIScope struct {
	Name        string            `json:"name"`
	Audience    []string          `json:"audience"`              // aud of access tokens with the scope
	Description map[string]string `json:"description,omitempty"` // for the consent page, by language
	Clients     []string          `json:"clients,omitempty"`     // may have the scope; empty: all that registered it
	Groups      []string          `json:"groups,omitempty"`      // whose members may grant it; empty: every user may
}

// APIScopes are the declared scopes of APIs, by name. The zero value has none.
type APIScopes map[string]*APIScope

// allowsClient reports whether the client may have the scope. A list of clients counts beside the registered scope of
// the client: a client with a registered scope needs the scope there too. Without a list only clients that registered
// the scope may have it.
func (s *APIScope) allowsClient(c *Client) bool {
	if len(s.Clients) > 0 && !slices.Contains(s.Clients, c.ClientID) {
		return false
	}
	if len(s.Clients) > 0 && c.Scope == "" {
		return true
	}
	return slices.Contains(strings.Fields(c.Scope), s.Name)
}

// allowsUser reports whether the user may grant the scope.
func (s *APIScope) allowsUser(u User) bool {
	if len(s.Groups) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Groups, func(group string) bool { return slices.Contains(u.Groups, group) })
}

// Allowed returns the values of scope that the client may have. A client that registered no scope may have Curfew's
// own scopes and the declared scopes that name the client.
func (s APIScopes) Allowed(c *Client, scope []string) []string {
	isForbidden := func(value string) bool {
		declared := s[value]
		switch {
		case declared != nil:
			return !declared.allowsClient(c)
		case c.Scope == "":
			return !slices.Contains(OwnScopes(), value)
		}
		return len(c.AllowedScope([]string{value})) == 0
	}
	if !slices.ContainsFunc(scope, isForbidden) {
		return scope
	}
	return slices.DeleteFunc(slices.Clone(scope), isForbidden)
}

// AllowedToUser returns the values of scope that the user may grant.
func (s APIScopes) AllowedToUser(u User, scope []string) []string {
	isForbidden := func(value string) bool {
		declared := s[value]
		return declared != nil && !declared.allowsUser(u)
	}
	if !slices.ContainsFunc(scope, isForbidden) {
		return scope
	}
	return slices.DeleteFunc(slices.Clone(scope), isForbidden)
}

// NeedUser reports whether only members of a group may grant one of the values of scope.
func (s APIScopes) NeedUser(scope []string) bool {
	return slices.ContainsFunc(scope, func(value string) bool {
		declared := s[value]
		return declared != nil && len(declared.Groups) > 0
	})
}

// HaveGroups reports whether only members of a group may grant one of the declared scopes.
func (s APIScopes) HaveGroups() bool {
	for _, declared := range s {
		if len(declared.Groups) > 0 {
			return true
		}
	}
	return false
}

// OfClient returns the values of scope that the client may have for itself (RFC 6749 §4.4), without a user.
func (s APIScopes) OfClient(c *Client) []string {
	var scope []string
	for _, value := range strings.Fields(c.Scope) {
		isOwn := slices.Contains(OwnScopes(), value)
		if !isOwn && !slices.Contains(scope, value) {
			scope = append(scope, value)
		}
	}
	for _, name := range s.Names() {
		if s[name].allowsClient(c) && !slices.Contains(scope, name) {
			scope = append(scope, name)
		}
	}
	isForbidden := func(value string) bool {
		declared := s[value]
		return declared != nil && (len(declared.Groups) > 0 || !declared.allowsClient(c))
	}
	return slices.DeleteFunc(scope, isForbidden)
}

// Audience returns the audience of an access token with that scope: the client's registered audience and those of the
// APIs. It is empty if there is none.
func (s APIScopes) Audience(c *Client, scope []string) []string {
	audience := slices.Clone(c.Audience)
	for _, value := range scope {
		if declared := s[value]; declared != nil {
			audience = appendMissing(audience, declared.Audience)
		}
	}
	return audience
}

// Narrow returns scope without the declared scopes of APIs that resources does not name (RFC 8707 §2.1). ok is false
// if resources is not exactly the audience of an access token with the rest. Without resources it returns scope.
func (s APIScopes) Narrow(c *Client, scope, resources []string) (narrowed []string, ok bool) {
	if len(resources) == 0 {
		return scope, true
	}
	isNotNamed := func(audience string) bool { return !slices.Contains(resources, audience) }
	narrowed = slices.DeleteFunc(slices.Clone(scope), func(value string) bool {
		declared := s[value]
		return declared != nil && slices.ContainsFunc(declared.Audience, isNotNamed)
	})
	audience := s.Audience(c, narrowed)
	isNoAudience := func(resource string) bool { return !slices.Contains(audience, resource) }
	if slices.ContainsFunc(audience, isNotNamed) || slices.ContainsFunc(resources, isNoAudience) {
		return nil, false
	}
	return narrowed, true
}

// HasAudience reports whether value is the audience of a declared scope.
func (s APIScopes) HasAudience(value string) bool {
	for _, declared := range s {
		if slices.Contains(declared.Audience, value) {
			return true
		}
	}
	return false
}

// Names returns the names of the declared scopes, sorted.
func (s APIScopes) Names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// appendMissing appends the values that list does not contain.
func appendMissing(list, values []string) []string {
	for _, value := range values {
		if !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

// OwnScopes returns the scopes that Curfew itself defines, with those of Core §5.4 and §11.
func OwnScopes() []string {
	return []string{"openid", "profile", "email", "address", "phone", "groups", "offline_access"}
}

// Descriptions returns the descriptions of those values of scope that are declared, by scope and language.
func (s APIScopes) Descriptions(scope []string) map[string]map[string]string {
	descriptions := map[string]map[string]string{}
	for _, value := range scope {
		if declared := s[value]; declared != nil && len(declared.Description) > 0 {
			descriptions[value] = declared.Description
		}
	}
	return descriptions
}
