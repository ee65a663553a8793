package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
)

// withScenario runs with all that alice has at atlas, and ways to look at it.
func withScenario(t *testing.T, test func(*scenario)) {
	synctest.Test(t, func(t *testing.T) { test(mustSetUpScenario(t, signInOptions{}, nil)) })
}

func (h *scenario) patchClient(metadata string) {
	h.MustAdmin(http.MethodPatch, "/clients/atlas", metadata)
}

// scopeOf is what introspection says of a token; - if it is dead.
func (h *scenario) scopeOf(client, token string) string {
	h.t.Helper()
	var a struct {
		Active bool   `json:"active"`
		Scope  string `json:"scope"`
	}
	if err := json.Unmarshal([]byte(h.Call(client, "/introspect", url.Values{"token": {token}}).Body), &a); err != nil {
		h.t.Fatal(err)
	}
	if !a.Active {
		return "-"
	}
	return a.Scope
}

func (h *scenario) seesEmail(token string) bool {
	return strings.Contains(
		h.Browser().Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}}).Body,
		`"email"`,
	)
}

func TestClaimsAskedForByNameStayWithinTheClientsScope(t *testing.T) {
	withScenario(t, func(h *scenario) {
		wishes := `{"id_token":{"email":null},"userinfo":{"email":{"essential":true}}}`
		j := h.mustRedeem(
			"atlas",
			h.laptop.MustSignIn("alice", "atlas", "scope", "openid", "claims", wishes, "prompt", "consent").Get("code"),
		)
		if !h.seesEmail(j.AccessToken) || providertest.MustReadClaims(h.t, j.IDToken)["email"] == nil {
			h.t.Fatal("got no e-mail address before the change")
		}
		h.patchClient(`{"scope":"openid profile offline_access"}`)
		if h.seesEmail(j.AccessToken) {
			h.t.Error("got the e-mail address at userinfo by a token from before the change")
		}
		if next := h.Token("atlas", url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {j.RefreshToken},
		}); next.IDToken == "" ||
			providertest.MustReadClaims(h.t, next.IDToken)["email"] != nil {
			h.t.Errorf("got %+v, want an ID token without the e-mail address", next)
		}
		if p := h.laptop.Get(providertest.AuthorizeURL("atlas", "scope", "openid", "claims", wishes, "prompt", "consent")); !strings.Contains(
			p.Body,
			"wants access to your account",
		) ||
			strings.Contains(p.Body, "email address") {
			h.t.Errorf("got %d, want a consent page that does not ask for what the client may not have", p.Status)
		}
		j = h.mustRedeem(
			"atlas",
			h.laptop.MustSignIn("alice", "atlas", "scope", "openid", "claims", wishes).Get("code"),
		)
		if h.seesEmail(j.AccessToken) || providertest.MustReadClaims(h.t, j.IDToken)["email"] != nil {
			h.t.Error("got the e-mail address by name, which the client may not ask for by scope")
		}
	})
}

func TestScopeTakenFromAClientCountsAtTheNextUse(t *testing.T) {
	withScenario(t, func(h *scenario) {
		j := h.mustRedeem(
			"atlas",
			h.laptop.MustSignIn("alice", "atlas", "scope", "openid profile email", "prompt", "consent").Get("code"),
		)
		late := h.laptop.MustSignIn("alice", "atlas", "scope", "openid profile email").Get("code")
		if !h.seesEmail(j.AccessToken) {
			h.t.Fatal("got no e-mail address before the change")
		}
		h.patchClient(
			`{"scope":"openid profile offline_access","access_token_format":"jwt","audience":["https://api.example"]}`,
		) // which says its scope to those who do not ask
		if h.seesEmail(j.AccessToken) {
			h.t.Error("got the e-mail address by a token from before the change")
		}
		for _, token := range []string{j.AccessToken, j.RefreshToken} {
			if got := h.scopeOf("atlas", token); got != "openid profile" {
				h.t.Errorf("got scope %q at introspection, want openid profile", got)
			}
		}
		form := url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {j.RefreshToken},
			"scope":         {"openid email"},
		}
		if got := h.Token("atlas", form); got.Error != "invalid_scope" {
			h.t.Errorf("got %+v for a scope that was taken away, want invalid_scope", got)
		}
		form.Del("scope")
		next := h.Token("atlas", form)
		if providertest.MustReadClaims(h.t, next.AccessToken)["scope"] != "openid profile" ||
			h.seesEmail(next.AccessToken) {
			h.t.Errorf("got %+v by refresh, want openid profile", next)
		}
		if got := h.Redeem("atlas", late); providertest.MustReadClaims(h.t, got.AccessToken)["scope"] != "openid profile" ||
			h.seesEmail(got.AccessToken) {
			h.t.Errorf("got %+v for a code from before the change, want openid profile", got)
		}
		if !h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) ||
			!h.refreshTokenActive("atlas", h.offlineTokens.RefreshToken) {
			h.t.Error("got something dead that had no more than it may")
		}
		h.patchClient(`{"scope":null}`)
		if !h.seesEmail(j.AccessToken) {
			h.t.Error("got no e-mail address after it was given back")
		}
	})
}

func TestRefreshTokensThatAClientMayNotHoldAreRefused(t *testing.T) {
	for metadata, lives := range map[string]struct{ session, offline bool }{
		`{"refresh_tokens":"offline"}`:           {false, true},
		`{"refresh_tokens":"session"}`:           {true, false},
		`{"grant_types":["authorization_code"]}`: {false, false},
		`{"scope":"openid"}`:                     {true, false},
	} {
		withScenario(t, func(h *scenario) {
			h.patchClient(metadata)
			if got := h.refreshTokenActive("atlas", h.opaqueTokens.RefreshToken); got != lives.session {
				h.t.Errorf("%s: got a refresh token of the session alive: %v, want %v", metadata, got, lives.session)
			}
			if got := h.refreshTokenActive("atlas", h.offlineTokens.RefreshToken); got != lives.offline {
				h.t.Errorf("%s: got an offline refresh token alive: %v, want %v", metadata, got, lives.offline)
			}
			if got := h.accessTokenActive("atlas", h.offlineAccessToken); got != lives.offline {
				h.t.Errorf("%s: got an access token of offline access alive: %v, want %v", metadata, got, lives.offline)
			}
			if !h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) {
				h.t.Errorf("%s: got the session's access token dead", metadata)
			}
			h.patchClient(`{"refresh_tokens":null,"grant_types":["authorization_code","refresh_token"],"scope":null}`)
			if !lives.offline && h.refreshTokenActive("atlas", h.offlineTokens.RefreshToken) {
				h.t.Errorf("%s: got offline access that had ended back", metadata)
			}
		})
	}
}

func TestClientCredentialsTokensOfARestrictedClientAreRevoked(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		withScenario(t, func(h *scenario) {
			h.patchClient(
				`{"grant_types":["authorization_code","client_credentials"],"scope":"openid read","access_token_format":"` + format + `","audience":["https://api.example"]}`,
			)
			own := h.Token("atlas", url.Values{"grant_type": {"client_credentials"}})
			if got := h.scopeOf("atlas", own.AccessToken); got != "read" {
				h.t.Fatalf("got %+v with scope %q, want read", own, got)
			}
			h.patchClient(`{"scope":"openid"}`)
			if got := h.scopeOf("atlas", own.AccessToken); got != "" {
				h.t.Errorf("got scope %q after it was taken away", got)
			}
			h.patchClient(`{"grant_types":["authorization_code"]}`)
			if got := h.scopeOf("atlas", own.AccessToken); got != "-" {
				h.t.Errorf("got scope %q of a token of a kind that the client may not have", got)
			}
			// What is given back stays so.
			h.Call("atlas", "/revoke", url.Values{"token": {own.AccessToken}})
			h.patchClient(`{"grant_types":["authorization_code","client_credentials"]}`)
			if got := h.scopeOf("atlas", own.AccessToken); got != "-" {
				h.t.Errorf("got scope %q of a token that was revoked", got)
			}
		})
	}
}

func TestRemovedIntrospectorSeesNothing(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		withScenario(t, func(h *scenario) {
			h.patchClient(`{"introspect":["wiki","ledger"],"audience":["https://api.example"],"access_token_format":"` +
				format + `"}`)
			j := h.mustRedeem("atlas", h.code)
			if !h.introspectionActive("wiki", j.AccessToken) || !h.introspectionActive("ledger", j.AccessToken) {
				h.t.Fatal("got a token that the listed clients cannot introspect")
			}
			h.patchClient(`{"introspect":["ledger"]}`)
			if h.introspectionActive("wiki", j.AccessToken) || !h.introspectionActive("ledger", j.AccessToken) ||
				!h.introspectionActive("atlas", j.AccessToken) {
				h.t.Error("got other introspectors than the one that is left and the client")
			}
		})
	}
}

func TestURIsTakenFromAClientAreNotUsedAnyMore(t *testing.T) {
	withScenario(t, func(h *scenario) {
		h.patchClient(
			`{"redirect_uris":["https://atlas.example/elsewhere"],"backchannel_logout_uri":null,"post_logout_redirect_uris":null}`,
		)
		p := h.oldLaptop.Copy().Get(h.consent)
		if strings.Contains(p.Body, `id="allow"`) ||
			strings.HasPrefix(p.Header.Get("Location"), "https://atlas.example") {
			h.t.Errorf(
				"got %d %v from a sign-in towards a redirect URI that was taken away",
				p.Status,
				p.Header.Get("Location"),
			)
		}
		if !h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) ||
			!h.refreshTokenActive("atlas", h.opaqueTokens.RefreshToken) {
			h.t.Error("got tokens dead because of URIs")
		}
		h.laptop.Get(providertest.EndSessionURL("id_token_hint", h.opaqueTokens.IDToken))
		synctest.Wait()
		notified := slices.ContainsFunc(
			h.Clients.Sent(),
			func(p providertest.Post) bool { return strings.Contains(p.URI, "atlas") },
		)
		if notified || h.accessTokenActive("atlas", h.opaqueTokens.AccessToken) {
			h.t.Errorf("got notified %v, want the session ended and nothing sent to the removed URI", notified)
		}
	})
}
