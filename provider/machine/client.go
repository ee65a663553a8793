package machine

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/storage"
)

// client is a relying party in the form the library carries it in. Of its methods the routes we mount call AuthMethod and GrantTypes; the others
// answer with the strictest there is.
type client struct{ record *storage.Client }

var _ op.Client = client{}

func (c client) GetID() string                        { return c.record.ClientID }
func (c client) RedirectURIs() []string               { return c.record.RedirectURIs }
func (c client) PostLogoutRedirectURIs() []string     { return c.record.PostLogoutRedirectURIs }
func (c client) ApplicationType() op.ApplicationType  { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod          { return oidc.AuthMethod(authMethod(c.record)) }
func (c client) ResponseTypes() []oidc.ResponseType   { return nil }
func (c client) LoginURL(string) string               { return "" }
func (c client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c client) IDTokenLifetime() time.Duration       { return 0 }
func (c client) DevMode() bool                        { return false }
func (c client) IsScopeAllowed(string) bool           { return false }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return noScopes }
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return noScopes }

func noScopes([]string) []string { return nil }

func (c client) GrantTypes() (types []oidc.GrantType) {
	for _, t := range grantTypes(c.record) {
		types = append(types, oidc.GrantType(t))
	}
	return types
}

// grantTypes are the registered ones; a client that registered none has authorization_code (RFC 7591 §2).
func grantTypes(c *storage.Client) []string {
	if len(c.GrantTypes) == 0 {
		return []string{"authorization_code"}
	}
	return c.GrantTypes
}

// authMethod is the registered one; client_secret_basic if none is (RFC 7591 §2).
func authMethod(c *storage.Client) string {
	if c.TokenEndpointAuthMethod == "" {
		return "client_secret_basic"
	}
	return c.TokenEndpointAuthMethod
}
