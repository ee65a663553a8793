package provider_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestLineBreaksInBase64URLAreRefused: decoders of base64 skip line breaks and ignore trailing bits. With them, a text
// that counts once could be sent as many texts. Each place refuses the changed text, and takes the right one afterwards.
func TestLineBreaksInBase64URLAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := providertest.MustStart(t, nil)
		f.MustAddClient("atlas", func(m *storage.Metadata) { m.Scope = "" })
		f.MustAddClient("object", func(m *storage.Metadata) { m.RequestObjectSigningAlg = "none" })
		b := f.Browser()
		tokens := b.MustJoin("alice", "atlas", "scope", "openid profile")
		signIn := f.Browser()
		page := signIn.Get(providertest.AuthorizeURL("atlas"))
		interaction := strings.TrimPrefix(page.Path, "/login/")
		confirm := b.Get("/end_session")
		_, confirmForm := confirm.Form(t)
		resetLink := f.MustMakeResetLink("alice")
		code := b.MustSignIn("alice", "atlas").Get("code")
		otherCode := b.MustSignIn("alice", "atlas").Get("code")
		encode := base64.RawURLEncoding.EncodeToString
		object := encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"scope":"openid","client_id":"object"}`)) + "."
		redeem := func(code, verifier string) bool {
			return f.Token("atlas", url.Values{
				"grant_type":    {"authorization_code"},
				"code":          {code},
				"redirect_uri":  {"https://atlas.example/cb"},
				"code_verifier": {verifier},
			}).Error == ""
		}
		for _, place := range []struct {
			name, text string
			accepts    func(text string) bool
		}{
			{"code_verifier", providertest.Verifier, func(text string) bool { return redeem(otherCode, text) }},
			{"code_challenge", providertest.Challenge, func(text string) bool {
				return b.MustSignIn("alice", "atlas", "code_challenge", text).Get("code") != ""
			}},
			{"code", code, func(text string) bool { return redeem(text, providertest.Verifier) }},
			{"refresh token", tokens.RefreshToken, func(text string) bool {
				return f.Token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}).Error == ""
			}},
			{"access token at introspection", tokens.AccessToken, func(text string) bool {
				return f.Active("atlas", text)
			}},
			{"access token at userinfo", tokens.AccessToken, func(text string) bool {
				form := url.Values{"access_token": {text}}
				return f.Browser().Do(http.MethodPost, "/userinfo", form, nil).Status == http.StatusOK
			}},
			{"client secret", providertest.Secret, func(text string) bool {
				form := url.Values{"client_id": {"atlas"}, "client_secret": {text}, "token": {"x"}}
				f.MustChangeClient("atlas", func(c *storage.Client) { c.TokenEndpointAuthMethod = "client_secret_post" })
				defer f.MustChangeClient("atlas", func(c *storage.Client) { c.TokenEndpointAuthMethod = "" })
				return f.Browser().Do(http.MethodPost, "/revoke", form, nil).Status == http.StatusOK
			}},
			{"hint at the authorization endpoint", tokens.IDToken, func(text string) bool {
				return b.MustSignIn("alice", "atlas", "id_token_hint", text).Get("code") != ""
			}},
			{"request object", object, func(text string) bool {
				return b.MustSignIn("alice", "object", "request", text).Get("code") != ""
			}},
			{"interaction in a path", interaction, func(text string) bool {
				return signIn.Get("/login/"+url.PathEscape(text)).Status == http.StatusOK
			}},
			{"reset link", strings.TrimPrefix(resetLink, "/reset/"), func(text string) bool {
				return f.Browser().Get("/reset/"+url.PathEscape(text)).Status == http.StatusOK
			}},
			{"logout confirmation", confirmForm.Get("interaction"), func(text string) bool {
				form := url.Values{"interaction": {text}, "scope": {"stay"}}
				return b.Post("/end_session/confirm", form).Status == http.StatusOK
			}},
			{"hint at the logout", tokens.IDToken, func(text string) bool {
				request := providertest.EndSessionURL("id_token_hint", text)
				return f.Browser().Do(http.MethodGet, request, nil, nil).Status == http.StatusOK
			}},
		} {
			middle := len(place.text) / 2
			for _, text := range []string{
				place.text + "\n",
				place.text[:middle] + "\r\n" + place.text[middle:],
				"\n" + place.text,
				place.text + "=",
			} {
				if place.accepts(text) {
					t.Errorf("%s: got %q accepted, want it refused", place.name, text)
				}
			}
			if !place.accepts(place.text) {
				t.Errorf("%s: got the right text refused afterwards", place.name)
			}
		}
	})
}
