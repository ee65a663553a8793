package provider_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestTokenOfOneKindIsNoOther: everything that Curfew hands out, brought to every place that takes something (ASVS
// 9.2.2, RFC 8725 §3.12).
func TestTokenOfOneKindIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, func(c *provider.Config) { c.Registration.Mode = policy.RegistrationOpen })
		o.MustAddClient(
			"atlas",
			func(m *storage.Metadata) { m.UserinfoSignedResponseAlg, m.LogoutTokenTyp, m.Scope = "ES256", "JWT", "" },
		)
		o.MustAddClient("jwt", func(m *storage.Metadata) {
			m.AccessTokenFormat, m.AccessTokenTyp, m.Scope = "jwt", "JWT", "openid read"
		})
		b := o.Browser()
		atlas, jwt := b.MustJoin("alice", "atlas"), b.MustJoin("alice", "jwt")
		other := o.Browser() // ends, and leaves a report and a logout token
		other.MustJoin("alice", "atlas")
		cookie := "__Host-curfew-session"
		dead := other.Cookies[cookie]
		other.Submit(other.Get("/end_session"), "scope", "session")
		time.Sleep(time.Second)
		reports, _, err := o.Store.ListReports(t.Context(), storage.ReportFilter{Subject: "sub-alice"}, storage.Page{})
		if err != nil || len(reports) == 0 || len(o.Clients.Sent()) == 0 {
			t.Fatalf("got %d reports, %d logout tokens, %v", len(reports), len(o.Clients.Sent()), err)
		}
		signIn := o.Browser().Get(providertest.AuthorizeURL("atlas"))
		tokens := map[string]string{
			"opaque access token": atlas.AccessToken,
			"JWT access token":    jwt.AccessToken,
			"ID token":            atlas.IDToken,
			"refresh token":       atlas.RefreshToken,
			"logout token": o.Clients.Sent()[0].Form.Get(
				"logout_token",
			),
			"session":        b.Cookies[cookie],
			"ended session":  dead,
			"flow cookie":    b.Cookies["__Host-curfew-flow"],
			"code":           b.MustSignIn("alice", "atlas").Get("code"),
			"sign-in handle": signIn.Path[len("/login/"):],
			"userinfo": b.Do(
				http.MethodGet,
				"/userinfo",
				nil,
				http.Header{"Authorization": {"Bearer " + atlas.AccessToken}},
			).Body,
			"report":       b.Get("/account/reports/" + reports[0].ID + "/report.jwt").Body,
			"client's own": o.Token("jwt", url.Values{"grant_type": {"client_credentials"}}).AccessToken,
			"unsigned":     "eyJhbGciOiJub25lIn0." + strings.Split(atlas.IDToken, ".")[1] + ".",
		}
		bearer := func(method, path, token string) bool {
			p := o.Browser().Do(method, path, nil, http.Header{"Authorization": {"Bearer " + token}})
			return p.Status == http.StatusOK
		}
		takes := map[string]func(string) bool{
			"userinfo":               func(text string) bool { return bearer(http.MethodGet, "/userinfo", text) },
			"registration":           func(text string) bool { return bearer(http.MethodGet, "/register/atlas", text) },
			"introspection as atlas": func(text string) bool { return o.Active("atlas", text) },
			"introspection as jwt":   func(text string) bool { return o.Active("jwt", text) },
			"id_token_hint to sign in": func(text string) bool {
				return b.Do(http.MethodGet, providertest.AuthorizeURL("atlas", "id_token_hint", text), nil, nil).
					ResponseParams(t).
					Has("code")
			},
			"client_assertion": func(text string) bool {
				return o.Browser().
					Do(http.MethodPost, "/introspect", url.Values{
						"token":                 {"x"},
						"client_assertion":      {text},
						"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
					}, nil).
					Status == http.StatusOK
			},
			"reset link": func(text string) bool {
				return o.Browser().Do(http.MethodGet, "/reset/"+url.PathEscape(text), nil, nil).Status == http.StatusOK
			},
			"sign-in page": func(text string) bool {
				return b.Do(http.MethodGet, "/login/"+url.PathEscape(text), nil, nil).Status == http.StatusOK
			},
			"consent page": func(text string) bool {
				return b.Do(http.MethodGet, "/consent/"+url.PathEscape(text), nil, nil).Status == http.StatusOK
			},
			"status of a sign-out": func(text string) bool {
				return b.Do(http.MethodGet, "/signed-out/"+url.PathEscape(text), nil, nil).Status == http.StatusOK
			},
			"session cookie": func(text string) bool {
				c := o.Browser()
				c.Cookies[cookie] = text
				return c.Do(http.MethodGet, "/account/probe", nil, nil).Status == http.StatusNoContent
			},
			"code": func(text string) bool { return o.Redeem("atlas", text).Error == "" },
			"refresh token": func(text string) bool {
				return o.Token(
					"atlas",
					url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}},
				).Error == ""
			},
			"id_token_hint to sign out": func(text string) bool {
				c := b.Copy()
				return !strings.Contains(c.Get(providertest.EndSessionURL("id_token_hint", text)).Body, `name="scope"`)
			},
		}
		want := map[string][]string{
			"userinfo": {
				"opaque access token",
				"JWT access token",
			},
			"introspection as atlas": {"opaque access token", "refresh token"},
			"introspection as jwt": {
				"JWT access token",
				"client's own",
			},
			"id_token_hint to sign in":  {"ID token"},
			"session cookie":            {"session"},
			"code":                      {"code"},
			"refresh token":             {"refresh token"},
			"id_token_hint to sign out": {"ID token"},
		}
		last := []string{"code", "refresh token", "id_token_hint to sign out"} // these change something
		places := slices.DeleteFunc(
			slices.Sorted(maps.Keys(takes)),
			func(place string) bool { return slices.Contains(last, place) },
		)
		for _, place := range append(places, last...) {
			for _, kind := range slices.Sorted(maps.Keys(tokens)) {
				if len(tokens[kind]) < 20 {
					t.Fatalf("got %q as %s", tokens[kind], kind)
				}
				if place == "id_token_hint to sign out" && kind == "ID token" {
					continue // at the end, for it ends the session
				}
				if got := takes[place](tokens[kind]); got != slices.Contains(want[place], kind) {
					t.Errorf("%s brought as %s: got taken %v", kind, place, got)
				}
			}
		}
		if !takes["id_token_hint to sign out"](tokens["ID token"]) || b.SignedIn("atlas") {
			t.Error("got a question, or nobody signed out, for a good hint")
		}
	})
}
