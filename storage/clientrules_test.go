package storage

import (
	"slices"
	"testing"
	"time"
)

func client(m Metadata) *Client { return &Client{Metadata: m} }

func TestClientWithoutMetadataGetsTheDefaultsOfTheSpecifications(t *testing.T) {
	c := client(Metadata{})
	if got, want := c.AllowedGrantTypes(), []string{"authorization_code"}; !slices.Equal(got, want) {
		t.Errorf("grant types: got %q, want %q (RFC 7591 §2)", got, want)
	}
	if got, want := c.AllowedResponseTypes(), []string{"code"}; !slices.Equal(got, want) {
		t.Errorf("response types: got %q, want %q (Registration 1.0 §2)", got, want)
	}
	if got, want := c.AuthMethod(), "client_secret_basic"; got != want {
		t.Errorf("client authentication: got %q, want %q (RFC 7591 §2)", got, want)
	}
	if c.UsesJWTAccessTokens() || c.SkipsConsent() || c.UsesPairwiseSubjects() || c.IsPublic() {
		t.Error("a choice that the client did not make is made for it")
	}
}

func TestTokenEndpointTakesEverySupportedGrantTypeButImplicit(t *testing.T) {
	for _, grantType := range SupportedGrantTypes() {
		if got, want := slices.Contains(TokenEndpointGrantTypes(), grantType), grantType != "implicit"; got != want {
			t.Errorf("%s: got %v, want %v", grantType, got, want)
		}
	}
}

func TestGrantTypesDecideWhatAClientMayHold(t *testing.T) {
	bound, offline, own := Grant{ID: "g", Session: "s"}, Grant{ID: "g"}, Grant{}
	for name, c := range map[string]struct {
		metadata                                   Metadata
		joins, refreshesInSession, offline, itself bool
	}{
		"nothing registered": {
			metadata: Metadata{},
			joins:    true,
		},
		"code": {
			metadata: Metadata{GrantTypes: []string{"authorization_code"}},
			joins:    true,
		},
		"implicit": {
			metadata: Metadata{GrantTypes: []string{"implicit"}},
			joins:    true,
		},
		"client credentials": {
			metadata: Metadata{GrantTypes: []string{"client_credentials"}},
			itself:   true,
		},
		"refresh": {
			metadata:           Metadata{GrantTypes: []string{"authorization_code", "refresh_token"}},
			joins:              true,
			refreshesInSession: true,
			offline:            true,
		},
		"refresh in session only": {
			metadata: Metadata{
				GrantTypes:    []string{"authorization_code", "refresh_token"},
				RefreshTokens: "session",
			},
			joins:              true,
			refreshesInSession: true,
		},
		"refresh offline only": {
			metadata: Metadata{GrantTypes: []string{"authorization_code", "refresh_token"}, RefreshTokens: "offline"},
			joins:    true,
			offline:  true,
		},
		"scope without offline": {
			metadata: Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"},
				Scope:      "openid email",
			},
			joins:              true,
			refreshesInSession: true,
		},
		"scope with offline": {
			metadata: Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"},
				Scope:      "openid offline_access",
			},
			joins:              true,
			refreshesInSession: true,
			offline:            true,
		},
		"offline scope only": {
			metadata: Metadata{GrantTypes: []string{"authorization_code"}, Scope: "openid offline_access"},
			joins:    true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := client(c.metadata)
			for _, rule := range []struct {
				name      string
				got, want bool
			}{
				{"CanJoinSession", client.CanJoinSession(), c.joins},
				{"MayRefreshInSession", client.MayRefreshInSession(), c.refreshesInSession},
				{"MayRefresh of a session-bound grant", client.MayRefresh(bound), c.refreshesInSession},
				{"MayHoldOfflineAccess", client.MayHoldOfflineAccess(), c.offline},
				{"MayRefresh of an offline grant", client.MayRefresh(offline), c.offline},
				{"MayUseAccessToken of an offline grant", client.MayUseAccessToken(offline), c.offline},
				{"MayUseAccessToken of a session-bound grant", client.MayUseAccessToken(bound), true},
				{"MayUseAccessToken of its own", client.MayUseAccessToken(own), c.itself},
			} {
				if rule.got != rule.want {
					t.Errorf("%s: got %v, want %v", rule.name, rule.got, rule.want)
				}
			}
		})
	}
}

func TestScopeIsCutToWhatTheClientRegistered(t *testing.T) {
	requested := []string{"openid", "email", "profile"}
	for registered, want := range map[string][]string{
		"":                     requested,
		"openid":               {"openid"},
		"profile openid phone": {"openid", "profile"},
		"phone":                {},
	} {
		if got := client(Metadata{Scope: registered}).AllowedScope(requested); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", registered, got, want)
		}
	}
}

func TestPKCEMayBeOmittedAsTheClientRegistered(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name        string
		requirePKCE *bool
		method      string
		bound       bool
		want        bool
	}{
		{"unset, confidential, no nonce", nil, "client_secret_basic", false, false},
		{"unset, confidential, nonce", nil, "client_secret_basic", true, true},
		{"unset, no method, nonce", nil, "", true, true},
		{"unset, public, nonce", nil, "none", true, false},
		{"true, confidential, nonce", &yes, "client_secret_basic", true, false},
		{"false, confidential", &no, "client_secret_basic", false, true},
		{"false, public", &no, "none", false, true}, // registration refuses it unless the operator allows it
	} {
		client := client(Metadata{RequirePKCE: c.requirePKCE, TokenEndpointAuthMethod: c.method})
		if got := client.MayOmitPKCE(c.bound); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestClientWithoutAMethodMaySendItsSecretInEitherPlace(t *testing.T) {
	for registered, want := range map[string][]string{
		"":                   {"client_secret_basic", "client_secret_post"},
		"client_secret_post": {"client_secret_post"},
		"none":               {"none"},
	} {
		var got []string
		for _, method := range []string{
			"client_secret_basic",
			"client_secret_post",
			"client_secret_jwt",
			"private_key_jwt",
			"none",
		} {
			if client(Metadata{TokenEndpointAuthMethod: registered}).AcceptsAuthMethod(method) {
				got = append(got, method)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", registered, got, want)
		}
	}
}

func TestPublicClientOffHTTPSNeedsConsentEachTime(t *testing.T) {
	for _, c := range []struct {
		method, redirectURI string
		want                bool
	}{
		{"none", "https://app.example/cb", false},
		{"none", "http://127.0.0.1:8000/cb", true},
		{"none", "com.example.app:/cb", true},
		{"private_key_jwt", "com.example.app:/cb", false},
		{"", "http://localhost/cb", false},
	} {
		if got := client(Metadata{TokenEndpointAuthMethod: c.method}).RequiresConsentEachTime(c.redirectURI); got != c.want {
			t.Errorf("%q at %s: got %v, want %v", c.method, c.redirectURI, got, c.want)
		}
	}
}

func TestSectorIsTheOneHostOfTheRedirectURIs(t *testing.T) {
	for name, c := range map[string]struct {
		metadata Metadata
		want     string
	}{
		"public": {
			metadata: Metadata{RedirectURIs: []string{"https://a.example/cb"}},
		},
		"one host": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"https://A.example/cb", "https://a.example/2"}},
			want:     "a.example",
		},
		"two hosts": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"https://a.example/cb", "https://b.example/cb"}},
		},
		"no redirect URI": {
			metadata: Metadata{SubjectType: "pairwise"},
		},
		"a host in a private-use scheme": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"com.x.app://victim.example/cb"}},
		},
		"this machine, http": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"http://localhost:8080/cb"}},
		},
		"this machine, https": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"https://127.0.0.1/cb"}},
		},
		"this machine, IPv6": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"https://[::1]/cb"}},
		},
		"a proven host and another": {
			metadata: Metadata{SubjectType: "pairwise", RedirectURIs: []string{"https://a.example/cb", "com.x.app://a.example/cb"}},
		},
		"sector URI first": {
			metadata: Metadata{SubjectType: "pairwise", SectorIdentifierURI: "https://s.example/list", RedirectURIs: []string{"https://a.example/cb"}},
			want:     "s.example",
		},
	} {
		if got := c.metadata.Sector(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestClientsLogoutScopeCountsBeforeTheDeployments(t *testing.T) {
	for _, scope := range []LogoutScope{ScopeClient, ScopeSession, ScopeAll} {
		if got := client(Metadata{LogoutScope: scope}).LogoutScopeOr(ScopeSession); got != scope {
			t.Errorf("registered %q: got %q", scope, got)
		}
		if got := client(Metadata{}).LogoutScopeOr(scope); got != scope {
			t.Errorf("deployment's %q: got %q", scope, got)
		}
	}
}

func TestLoweredIntrospectionCacheCountsForLaterAnswersOnly(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	c := client(Metadata{IntrospectionCache: 300})
	c.SetMetadata(Metadata{IntrospectionCache: 10}, at)
	if want := at.Add(300 * time.Second); !c.IntrospectionCachedUntil.Equal(want) {
		t.Errorf("lowered from 300 to 10: got %v, want %v", c.IntrospectionCachedUntil, want)
	}
	c.SetMetadata(Metadata{}, at.Add(time.Minute))
	if want := at.Add(300 * time.Second); !c.IntrospectionCachedUntil.Equal(want) {
		t.Errorf(
			"lowered again from 10 to 0: got %v, want %v: the answers of before the first change are still there",
			c.IntrospectionCachedUntil,
			want,
		)
	}
	c.SetMetadata(Metadata{IntrospectionCache: 60}, at.Add(2*time.Minute))
	if want := at.Add(300 * time.Second); !c.IntrospectionCachedUntil.Equal(want) {
		t.Errorf("raised: got %v, want %v", c.IntrospectionCachedUntil, want)
	}
}
