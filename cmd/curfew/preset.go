package main

import (
	"maps"
	"slices"
	"strings"
)

// preset describes one framework for relying parties: its paths below the app's URL, the client metadata for it, and
// the settings that the app needs. docs/applications.md lists the presets, and a test compares both lists.
type preset struct {
	name      string
	framework string

	redirectPath    string
	postLogoutPath  string
	backchannelPath string // empty: the framework has no back channel

	metadata     map[string]any // all client metadata except the URIs
	appSettings  []string       // settings for the app
	confirmation string         // the meaning of the framework's answer to a logout token
}

const confirmationNone = "It has no back channel: trust lasts until its session or tokens expire."

// presets lists the presets, ordered by name.
var presets = []preset{
	{
		name:           "authlib",
		framework:      "Authlib (Python)",
		redirectPath:   "/auth",
		postLogoutPath: "/",
		metadata:       map[string]any{"id_token_claims": "scope"},
		appSettings:    []string{"client_kwargs={'scope': 'openid profile email', 'code_challenge_method': 'S256'}"},
		confirmation:   confirmationNone,
	},
	{
		name:            "express-openid-connect",
		framework:       "express-openid-connect (Node)",
		redirectPath:    "/callback",
		postLogoutPath:  "/",
		backchannelPath: "/backchannel-logout",
		metadata:        map[string]any{"logout_token_claims": "sid"},
		appSettings: []string{
			"authorizationParams: {response_type: 'code'}",
			"backchannelLogout: {store} with a session store",
		},
		confirmation: "204: the session is marked as ended. " +
			"With sub in the token it would end all sessions of the user.",
	},
	{
		name: "keycloak",
		framework: "Keycloak as broker; " +
			"the URL is that of the realm, the alias of the identity provider is curfew",
		redirectPath:    "/broker/curfew/endpoint",
		postLogoutPath:  "/broker/curfew/endpoint/logout_response",
		backchannelPath: "/protocol/openid-connect/logout/backchannel-logout",
		appSettings: []string{
			"identity provider: Use PKCE on, method S256",
			"identity provider: Backchannel logout on",
		},
		confirmation: "200: the session at Keycloak is over. Its own clients are Keycloak's to notify.",
	},
	{
		name:            "mod_auth_openidc",
		framework:       "mod_auth_openidc (Apache); /redirect_uri is OIDCRedirectURI",
		redirectPath:    "/redirect_uri",
		postLogoutPath:  "/",
		backchannelPath: "/redirect_uri?logout=backchannel",
		appSettings:     []string{"OIDCPKCEMethod S256"},
		confirmation:    "200 also if no session matched. It needs sid, which Curfew always sends.",
	},
	{
		name:           "mozilla-django-oidc",
		framework:      "mozilla-django-oidc",
		redirectPath:   "/oidc/callback/",
		postLogoutPath: "/",
		appSettings:    []string{"OIDC_USE_PKCE = True"},
		confirmation:   confirmationNone,
	},
	{
		name:           "oauth2-proxy",
		framework:      "oauth2-proxy",
		redirectPath:   "/oauth2/callback",
		postLogoutPath: "/",
		metadata:       map[string]any{"require_pkce": true},
		appSettings:    []string{"--code-challenge-method=S256"},
		confirmation:   confirmationNone,
	},
	{
		name:           "oidc-client-ts",
		framework:      "oidc-client-ts (single-page app, a public client)",
		redirectPath:   "/callback",
		postLogoutPath: "/",
		metadata:       map[string]any{"token_endpoint_auth_method": "none", "check_session": true},
		appSettings: []string{
			"monitorSession: true works only where the browser allows third-party cookies, or on the same site",
		},
		confirmation: confirmationNone,
	},
	{
		name:            "quarkus",
		framework:       "Quarkus OIDC",
		redirectPath:    "/callback",
		postLogoutPath:  "/",
		backchannelPath: "/back-channel-logout",
		metadata:        map[string]any{"require_pkce": true, "confirmations": "untrusted"},
		appSettings: []string{
			"quarkus.oidc.authentication.pkce-required=true",
			"quarkus.oidc.authentication.redirect-path=/callback",
			"quarkus.oidc.logout.backchannel.path=/back-channel-logout",
		},
		confirmation: "It keeps one logout token for each user in memory and forgets it at a restart: " +
			"not proof that the session is over.",
	},
	{
		name:            "spring-security",
		framework:       "Spring Security; the registration id is curfew",
		redirectPath:    "/login/oauth2/code/curfew",
		postLogoutPath:  "/",
		backchannelPath: "/logout/connect/back-channel/curfew",
		appSettings: []string{
			"http.oidcLogout((logout) -> logout.backChannel(Customizer.withDefaults()))",
			"Spring Security up to 6.3 needs --logout-token-typ JWT",
		},
		confirmation: "200: the session is over, " +
			"unless its cookie was renamed and Spring does not know it; then nothing ended.",
	},
}

// findPreset returns the preset with the name, or a usage error that lists the names.
func findPreset(name string) (preset, error) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return preset{}, usageErrorf("--preset must be one of %s, not %q", strings.Join(presetNames(), ", "), name)
	}
	return presets[i], nil
}

func presetNames() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

// clientMetadata returns the client metadata of an app at url that uses the framework.
func (p preset) clientMetadata(url string) map[string]any {
	url = strings.TrimSuffix(url, "/")
	metadata := map[string]any{
		"client_name":               p.name,
		"redirect_uris":             []string{url + p.redirectPath},
		"post_logout_redirect_uris": []string{url + p.postLogoutPath},
	}
	if p.backchannelPath != "" {
		metadata["backchannel_logout_uri"] = url + p.backchannelPath
	}
	maps.Copy(metadata, p.metadata)
	return metadata
}
