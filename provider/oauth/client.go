package oauth

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/storage"
)

// opClient is a client in the form that the library needs. The library's routes call only AuthMethod and GrantTypes.
// The other methods return the strictest value.
type opClient struct {
	record   *storage.Client
	sequence storage.Sequence // the store's sequence, read before the client
}

var _ op.Client = opClient{}

func (c opClient) GetID() string                       { return c.record.ClientID }
func (c opClient) RedirectURIs() []string              { return c.record.RedirectURIs }
func (c opClient) PostLogoutRedirectURIs() []string    { return c.record.PostLogoutRedirectURIs }
func (c opClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c opClient) AuthMethod() oidc.AuthMethod {
	return oidc.AuthMethod(c.record.AuthMethod())
}
func (c opClient) ResponseTypes() []oidc.ResponseType   { return nil }
func (c opClient) LoginURL(string) string               { return "" }
func (c opClient) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c opClient) IDTokenLifetime() time.Duration       { return 0 }
func (c opClient) DevMode() bool                        { return false }
func (c opClient) IsScopeAllowed(string) bool           { return false }
func (c opClient) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c opClient) ClockSkew() time.Duration             { return 0 }

func (c opClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return noAdditionalScopes
}
func (c opClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return noAdditionalScopes
}

func noAdditionalScopes([]string) []string { return nil }

func (c opClient) GrantTypes() (types []oidc.GrantType) {
	for _, t := range c.record.AllowedGrantTypes() {
		types = append(types, oidc.GrantType(t))
	}
	return types
}
