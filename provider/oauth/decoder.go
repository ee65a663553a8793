package oauth

import (
	"fmt"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// decoder fills the library's requests from a form that guard has read. The library's own finds every field by
// reflection, twice a request; these are the ones that it or we read. Scope is read from the form itself.
type decoder struct{}

// Decode implements the library's Decoder.
func (decoder) Decode(dst any, src map[string][]string) error {
	form := url.Values(src)
	switch d := dst.(type) {
	case *op.ClientCredentials:
		d.ClientID, d.ClientSecret = form.Get("client_id"), form.Get("client_secret")
		d.ClientAssertion, d.ClientAssertionType = form.Get("client_assertion"), form.Get("client_assertion_type")
	case *oidc.AccessTokenRequest:
		d.Code, d.RedirectURI, d.CodeVerifier = form.Get("code"), form.Get("redirect_uri"), form.Get("code_verifier")
	case *oidc.RefreshTokenRequest:
		d.RefreshToken = form.Get("refresh_token")
	case *oidc.ClientCredentialsRequest:
	case *oidc.IntrospectionRequest:
		d.Token = form.Get("token")
	case *oidc.RevocationRequest:
		d.Token = form.Get("token")
	default:
		return fmt.Errorf("decode form: %T is not known", dst)
	}
	return nil
}
