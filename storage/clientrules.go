package storage

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// clientrules.go decides what a client may do, by its metadata alone. Callers check at every use of a token and not
// only when it is issued. A restriction of the metadata therefore applies at once to the tokens that the client
// already has.

// SupportedGrantTypes are the grant types that a client can register and discovery lists (RFC 7591 §2).
func SupportedGrantTypes() []string {
	return []string{"authorization_code", "implicit", "refresh_token", "client_credentials"}
}

// TokenEndpointGrantTypes are the supported grant types that the token endpoint accepts. implicit is missing, because
// it issues tokens at the authorization endpoint (RFC 6749 §4.2).
func TokenEndpointGrantTypes() []string {
	return slices.DeleteFunc(SupportedGrantTypes(), func(grantType string) bool { return grantType == "implicit" })
}

// AllowedGrantTypes returns the registered grant types, or authorization_code if the client registered none (RFC 7591
// §2).
func (c *Client) AllowedGrantTypes() []string {
	if len(c.GrantTypes) == 0 {
		return []string{"authorization_code"}
	}
	return c.GrantTypes
}

// MayUseGrantType reports whether the client registered that grant type.
func (c *Client) MayUseGrantType(grantType string) bool {
	return slices.Contains(c.AllowedGrantTypes(), grantType)
}

// AllowedResponseTypes returns the registered response types, or code if the client registered none (Registration 1.0
// §2).
func (c *Client) AllowedResponseTypes() []string {
	if len(c.ResponseTypes) == 0 {
		return []string{"code"}
	}
	return c.ResponseTypes
}

// AuthMethod returns the registered method of client authentication, or client_secret_basic if the client registered
// none (RFC 7591 §2). Use AcceptsAuthMethod to check a request.
func (c *Client) AuthMethod() string {
	if c.TokenEndpointAuthMethod == "" {
		return "client_secret_basic"
	}
	return c.TokenEndpointAuthMethod
}

// IsPublic reports whether the client cannot authenticate (RFC 6749 §2.1).
func (c *Client) IsPublic() bool { return c.AuthMethod() == "none" }

// AcceptsAuthMethod reports whether the client may authenticate by that method (Core §9). A client without a
// registered method may send its secret in the header or in the body.
func (c *Client) AcceptsAuthMethod(method string) bool {
	if c.TokenEndpointAuthMethod == "" {
		return method == "client_secret_basic" || method == "client_secret_post"
	}
	return method == c.TokenEndpointAuthMethod
}

// MayOmitPKCE reports whether an authorization request for a code may omit code_challenge (RFC 7636). require_pkce
// decides if it is set. Otherwise only a confidential client may, and only if a nonce binds the code to the request
// (RFC 9700 §2.1.1).
func (c *Client) MayOmitPKCE(hasNonce bool) bool {
	if c.RequirePKCE != nil {
		return !*c.RequirePKCE
	}
	return hasNonce && !c.IsPublic()
}

// UsesJWTAccessTokens reports whether the client's access tokens are JWTs (RFC 9068). Resource servers validate those
// by themselves, without introspection.
func (c *Client) UsesJWTAccessTokens() bool { return c.AccessTokenFormat == "jwt" }

// CanJoinSession reports whether users can sign in to the client, so that it gets client sessions.
func (c *Client) CanJoinSession() bool {
	return c.MayUseGrantType("authorization_code") || c.MayUseGrantType("implicit")
}

// AllowedScope returns the values of scope that the client may have: all of them if the client registered no scope.
func (c *Client) AllowedScope(scope []string) []string {
	if c.Scope == "" {
		return scope
	}
	registered := strings.Fields(c.Scope)
	return slices.DeleteFunc(
		slices.Clone(scope),
		func(value string) bool { return !slices.Contains(registered, value) },
	)
}

// MayHoldOfflineAccess reports whether the client may hold refresh tokens that survive the session (Core §11).
func (c *Client) MayHoldOfflineAccess() bool {
	mayRequest := len(c.AllowedScope([]string{"offline_access"})) > 0
	return mayRequest && c.MayUseGrantType("refresh_token") && c.RefreshTokens != "session"
}

// MayRefreshInSession reports whether the client may hold refresh tokens that end with the session.
func (c *Client) MayRefreshInSession() bool {
	return c.MayUseGrantType("refresh_token") && c.RefreshTokens != "offline"
}

// MayRefresh reports whether the client may use a refresh token of that grant.
func (c *Client) MayRefresh(g Grant) bool {
	if g.Offline() {
		return c.MayHoldOfflineAccess()
	}
	return c.MayRefreshInSession()
}

// MayUseAccessToken reports whether access tokens of that grant are still accepted. The zero grant stands for
// client_credentials tokens.
func (c *Client) MayUseAccessToken(g Grant) bool {
	switch {
	case g.ID == "":
		return c.MayUseGrantType("client_credentials")
	case g.Offline():
		return c.MayHoldOfflineAccess()
	}
	return true
}

// SkipsConsent reports whether users are not asked for consent, because the operator has consented for all of them.
func (c *Client) SkipsConsent() bool { return c.Consent == "skip" }

// RequiresConsentEachTime reports whether a request with that redirect URI needs consent again, even if the user gave
// it before. It does for a public client without an https redirect URI. Such a client does not authenticate, and
// another program on the device can listen on its loopback port or register its scheme (RFC 6749 §10.2, RFC 8252
// §8.6).
func (c *Client) RequiresConsentEachTime(redirectURI string) bool {
	return c.IsPublic() && !strings.HasPrefix(redirectURI, "https://")
}

// LogoutScope says how much a logout request ends. It is the value of the client metadata logout_scope and of the
// setting logout.scope.
type LogoutScope string

// The logout scopes, the smallest first.
const (
	ScopeClient  LogoutScope = "client"  // the requesting client's client session; the user stays signed in
	ScopeSession LogoutScope = "session" // this browser's session
	ScopeAll     LogoutScope = "all"     // all sessions of the user
)

// LogoutScopeOr returns the scope of the client's logout requests: the registered one, or else deployment.
func (c *Client) LogoutScopeOr(deployment LogoutScope) LogoutScope {
	if c.LogoutScope == "" {
		return deployment
	}
	return c.LogoutScope
}

// BackendLogoutScope returns the scope of a logout request that the client's server sends without the user's browser.
// The default is the client session. ok is false if such a request ends nothing.
func (c *Client) BackendLogoutScope() (scope LogoutScope, ok bool) {
	switch c.BackendLogout {
	case "none":
		return "", false
	case "session":
		return ScopeSession, true
	}
	return ScopeClient, true
}

// HasUntrustedConfirmations reports whether a 200 from the client to a logout token does not show that it ended its
// session.
func (c *Client) HasUntrustedConfirmations() bool { return c.Confirmations == "untrusted" }

// IsNotifiedAsInitiator reports whether the client gets a logout token for a logout that it started itself and after
// which the browser returns to it.
func (c *Client) IsNotifiedAsInitiator() bool { return c.NotifyInitiator == nil || *c.NotifyInitiator }

// UsesPairwiseSubjects reports whether the client gets pairwise subject identifiers (Core §8.1).
func (c *Client) UsesPairwiseSubjects() bool { return c.SubjectType == "pairwise" }

// SetMetadata replaces the client's metadata. If m lowers introspection_cache, resource servers may still cache the
// introspection responses from before at for the longer time; IntrospectionCachedUntil records until when.
func (c *Client) SetMetadata(m Metadata, at time.Time) {
	if m.IntrospectionCache < c.IntrospectionCache {
		cachedUntil := at.Add(time.Duration(c.IntrospectionCache) * time.Second)
		c.IntrospectionCachedUntil = latestTime(c.IntrospectionCachedUntil, cachedUntil)
	}
	c.Metadata = m
	c.SectorHost = m.Sector()
	c.Updated = at
}

// Sector returns the host for which pairwise subjects are computed (Core §8.1): the host of sector_identifier_uri, or
// else the common host of all redirect URIs. Only an https URI that does not point to the local machine shows that
// the client controls its host: in a private-use scheme anyone can write any host. Sector is empty for public
// subjects, and if the redirect URIs show no host or several hosts.
func (m *Metadata) Sector() string {
	if m.SubjectType != "pairwise" {
		return ""
	}
	if m.SectorIdentifierURI != "" {
		return hostname(m.SectorIdentifierURI)
	}
	var sector string
	for i, redirectURI := range m.RedirectURIs {
		if host := sectorHostOf(redirectURI); i == 0 {
			sector = host
		} else if host != sector {
			return ""
		}
	}
	return sector
}

// sectorHostOf returns the host of an https URI. It is empty for another scheme and for the local machine.
func sectorHostOf(uri string) string {
	host := hostname(uri)
	if isLocalHost(host) || !strings.HasPrefix(strings.ToLower(uri), "https://") {
		return ""
	}
	return host
}

func isLocalHost(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

func hostname(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
