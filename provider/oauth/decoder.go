package oauth

import (
	"fmt"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// decoder fills the library's request structs from a form that guard has read. It replaces the library's decoder, which
// uses reflection for every field. It fills only fields that the library or this package reads.
type decoder struct{}

// Decode implements the library's Decoder.
func (decoder) Decode(dst any, src map[string][]string) error {
	form := url.Values(src)
	switch d := dst.(type) {
	case *op.ClientCredentials:
		d.ClientID = form.Get("client_id")
		d.ClientSecret = form.Get("client_secret")
		d.ClientAssertion = form.Get("client_assertion")
		d.ClientAssertionType = form.Get("client_assertion_type")
	case *oidc.AccessTokenRequest:
		d.Code = form.Get("code")
		d.RedirectURI = form.Get("redirect_uri")
		d.CodeVerifier = form.Get("code_verifier")
	case *oidc.RefreshTokenRequest:
		d.RefreshToken = form.Get("refresh_token")
	case *oidc.ClientCredentialsRequest: // its only field is scope, which issueClientToken gets from the form
	case *oidc.IntrospectionRequest:
		d.Token = form.Get("token")
	case *oidc.RevocationRequest:
		d.Token = form.Get("token")
	default:
		return fmt.Errorf("decode form: %T is not known", dst)
	}
	return nil
}
