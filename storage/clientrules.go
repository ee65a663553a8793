package storage

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The rules in this file say what a client may do, by its metadata alone. Callers ask at each use and not only when
// something is issued: a client that may do less from now on does less from now on, with the tokens that it already
// has.

// SupportedGrantTypes are the grant types that a client can register and discovery lists (RFC 7591 §2).
func SupportedGrantTypes() []string {
	return []string{"authorization_code", "implicit", "refresh_token", "client_credentials"}
}

// TokenEndpointGrantTypes are the supported grant types that the token endpoint takes. implicit is missing: it issues
// tokens at the authorization endpoint (RFC 6749 §4.2).
func TokenEndpointGrantTypes() []string {
	return slices.DeleteFunc(SupportedGrantTypes(), func(grantType string) bool { return grantType == "implicit" })
}

// AllowedGrantTypes are the registered grant types; authorization_code if the client registered none (RFC 7591 §2).
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

// AllowedResponseTypes are the registered response types; code if the client registered none (Registration 1.0 §2).
func (c *Client) AllowedResponseTypes() []string {
	if len(c.ResponseTypes) == 0 {
		return []string{"code"}
	}
	return c.ResponseTypes
}

// AuthMethod is the registered method of client authentication; client_secret_basic if the client registered none
// (RFC 7591 §2). Use AcceptsAuthMethod to ask what the client may do.
func (c *Client) AuthMethod() string {
	if c.TokenEndpointAuthMethod == "" {
		return "client_secret_basic"
	}
	return c.TokenEndpointAuthMethod
}

// IsPublic reports whether the client cannot authenticate (RFC 6749 §2.1).
func (c *Client) IsPublic() bool { return c.AuthMethod() == "none" }

// AcceptsAuthMethod reports whether the client may authenticate by that method (Core §9): the registered one or,
// where none is registered, its secret in either place.
func (c *Client) AcceptsAuthMethod(method string) bool {
	if c.TokenEndpointAuthMethod == "" {
		return method == "client_secret_basic" || method == "client_secret_post"
	}
	return method == c.TokenEndpointAuthMethod
}

// MayOmitPKCE reports whether an authorization request for a code may come without a code_challenge (RFC 7636). With
// require_pkce true it may not, with false it may. Where the setting is missing, a confidential client may if a nonce
// binds the code to the request (RFC 9700 §2.1.1): bound says whether one does.
func (c *Client) MayOmitPKCE(bound bool) bool {
	if c.RequirePKCE != nil {
		return !*c.RequirePKCE
	}
	return bound && !c.IsPublic()
}

// WantsScopeClaimsInIDToken reports whether the ID token carries the claims of the granted scopes (Core §5.4), which
// userinfo gives in any case.
func (c *Client) WantsScopeClaimsInIDToken() bool { return c.IDTokenClaims == "scope" }

// UsesJWTAccessTokens reports whether the client's access tokens are JWTs (RFC 9068), which resource servers check
// without asking.
func (c *Client) UsesJWTAccessTokens() bool { return c.AccessTokenFormat == "jwt" }

// CanJoinSession reports whether the client can get a client session: users can sign in to it.
func (c *Client) CanJoinSession() bool {
	return c.MayUseGrantType("authorization_code") || c.MayUseGrantType("implicit")
}

// AllowedScope is the part of scope that the client may have: all of it if the client registered no scope.
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

// MayUseAccessToken reports whether access tokens of that grant are still accepted. The zero grant stands for the
// tokens that the client got for itself by client_credentials.
func (c *Client) MayUseAccessToken(g Grant) bool {
	switch {
	case g.ID == "":
		return c.MayUseGrantType("client_credentials")
	case g.Offline():
		return c.MayHoldOfflineAccess()
	}
	return true
}

// SkipsConsent reports whether the operator has consented for all users.
func (c *Client) SkipsConsent() bool { return c.Consent == "skip" }

// RequiresConsentEachTime reports whether an earlier consent does not count for a request with that redirect URI. A
// public client proves nothing about itself, and other programs on the device can take its loopback port or its
// scheme (RFC 6749 §10.2, RFC 8252 §8.6).
func (c *Client) RequiresConsentEachTime(redirectURI string) bool {
	return c.IsPublic() && !strings.HasPrefix(redirectURI, "https://")
}

// LogoutScope is how much a logout request ends: the metadata value logout_scope and the setting logout.scope.
type LogoutScope string

// The logout scopes, the smallest first.
const (
	ScopeClient  LogoutScope = "client"  // the client session of the client that asks; the user stays signed in
	ScopeSession LogoutScope = "session" // this browser's session
	ScopeAll     LogoutScope = "all"     // all sessions of the user
)

// LogoutScopeOr is the scope of the client's logout requests: the registered one, or else the deployment's.
func (c *Client) LogoutScopeOr(deployment LogoutScope) LogoutScope {
	if c.LogoutScope == "" {
		return deployment
	}
	return c.LogoutScope
}

// BackendLogoutScope returns what a logout request without the user's browser ends, as the client's own server sends
// it: by default the client's own client session. ok is false if it ends nothing.
func (c *Client) BackendLogoutScope() (scope LogoutScope, ok bool) {
	switch c.BackendLogout {
	case "none":
		return "", false
	case "session":
		return ScopeSession, true
	}
	return ScopeClient, true
}

// HasUntrustedConfirmations reports whether the client's answers to logout tokens prove nothing: it answers 200 and
// may end no session.
func (c *Client) HasUntrustedConfirmations() bool { return c.Confirmations == "untrusted" }

// UsesPairwiseSubjects reports whether the client knows users by subjects that other sectors do not see (Core §8.1).
func (c *Client) UsesPairwiseSubjects() bool { return c.SubjectType == "pairwise" }

// SetMetadata replaces the client's metadata. Introspection answers from before at are cached for as long as the
// client declared then.
func (c *Client) SetMetadata(m Metadata, at time.Time) {
	if m.IntrospectionCache < c.IntrospectionCache {
		if until := at.Add(time.Duration(c.IntrospectionCache) * time.Second); until.After(c.IntrospectionCachedUntil) {
			c.IntrospectionCachedUntil = until
		}
	}
	c.Metadata, c.SectorHost, c.Updated = m, m.Sector(), at
}

// Sector is the host that pairwise subjects are computed for (Core §8.1): that of sector_identifier_uri, or else the
// one host that all redirect URIs share. Only an https URI on a host that is not this machine proves that the client
// has the host: anyone can write any host into a private-use scheme. Sector is empty for public subjects and if the
// redirect URIs prove no host or several.
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

// sectorHostOf returns the host of an https URI that is not this machine's.
func sectorHostOf(uri string) string {
	host := hostname(uri)
	address, err := netip.ParseAddr(host)
	isLocal := host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		err == nil && address.Unmap().IsLoopback()
	if isLocal || !strings.HasPrefix(strings.ToLower(uri), "https://") {
		return ""
	}
	return host
}

func hostname(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
