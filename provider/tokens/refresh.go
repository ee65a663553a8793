package tokens

import (
	"errors"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ErrScopeNotGranted says that a refresh requests a scope that was not granted.
var ErrScopeNotGranted = errors.New("the scope is more than what was granted")

// ErrResourceNotGranted says that resources names something else than the audience of an access token that the client
// may have.
var ErrResourceNotGranted = errors.New("resource is not exactly the audience of an access token of this grant")

// Refresh is the use of a refresh token (RFC 6749 §6, Core §12). The caller passes Issue to storage.Refresh, then
// calls Respond.
type Refresh struct {
	minter         *Minter
	client         *storage.Client
	requestedScope []string // empty: all granted scopes
	issuedAt       time.Time
	opaqueToken    string
	newToken       string

	// User is the user of the grant, for scopes that only members of a group may grant; zero: none of them.
	User storage.User
	// Resources are the audiences that the client requests (RFC 8707 §2.2); empty: all.
	Resources []string
}

// NewRefresh prepares the use of the refresh token.
func (m *Minter) NewRefresh(c *storage.Client, token string, scope []string, at time.Time) *Refresh {
	r := &Refresh{
		minter:         m,
		client:         c,
		requestedScope: scope,
		issuedAt:       truncateToMillis(at),
		newToken:       m.Ring.NextRefreshToken(token), // derived, so that a repeated request gets the same token
	}
	if !c.UsesJWTAccessTokens() {
		r.opaqueToken = keys.RandomWithPrefix(AccessPrefix)
	}
	return r
}

// NewToken returns the refresh token that follows the presented one.
func (r *Refresh) NewToken() string { return r.newToken }

// Issue returns the records to store. The requested scope limits the new access token, not the grant. s is nil for
// offline access. Issue returns ErrScopeNotGranted, or storage.ErrRevoked if the client's metadata no longer allow it
// to refresh the grant.
func (r *Refresh) Issue(grant storage.Grant, s *storage.Session) (storage.Issuance, error) {
	if !r.client.MayRefresh(grant) {
		return storage.Issuance{}, storage.ErrRevoked
	}
	granted := r.allowedScope(grant)
	for _, scope := range r.requestedScope {
		if !slices.Contains(granted, scope) {
			return storage.Issuance{}, ErrScopeNotGranted
		}
	}
	if _, ok := r.tokenScope(grant); !ok {
		return storage.Issuance{}, ErrResourceNotGranted
	}
	accessToken := r.newAccessToken(grant, s)
	issuance := storage.Issuance{Grant: grant, Trust: accessToken.expiry()}
	if r.opaqueToken != "" {
		issuance.Tokens = []storage.Token{r.minter.record(accessToken, r.opaqueToken)}
	}
	if hasOpenID(accessToken.scope) {
		issuance.Trust.Extend(r.minter.idTokenExpiry(r.newIDToken(grant, s)))
	}
	return issuance, nil
}

// Respond signs the tokens that Issue recorded. The ID token has the iss, sub, aud and auth_time of the ID token from
// the sign-in, and no nonce (Core §12.2). user may be nil unless NeedsUser returns true.
func (r *Refresh) Respond(result storage.RefreshResult, user *storage.User) (response Response, err error) {
	accessToken := r.newAccessToken(result.Grant, result.Session)
	accessToken.user = user
	if err := r.minter.setAccessToken(&response, accessToken, r.opaqueToken); err != nil {
		return Response{}, err
	}
	response.RefreshToken = r.newToken
	if hasOpenID(accessToken.scope) {
		idToken := r.newIDToken(result.Grant, result.Session)
		idToken.accessToken = response.AccessToken
		idToken.userClaims = idTokenUserClaims(r.client, user, accessToken.scope, result.Grant.Claims)
		if response.IDToken, err = r.minter.signIDToken(idToken); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether the ID token contains claims about the user.
func (r *Refresh) NeedsUser(g storage.Grant) bool {
	return idTokenNeedsUser(r.client, g.Claims) || accessTokenNeedsUser(r.client)
}

// allowedScope returns the scope of the grant that client and user may still have.
func (r *Refresh) allowedScope(g storage.Grant) []string {
	scopes := r.minter.APIScopes
	return scopes.AllowedToUser(r.User, scopes.Allowed(r.client, g.Scope))
}

// tokenScope returns the scope of the new access token. ok is false if there is none for Resources.
func (r *Refresh) tokenScope(g storage.Grant) (scope []string, ok bool) {
	scope = r.allowedScope(g)
	if len(r.requestedScope) > 0 {
		scope = r.requestedScope
	}
	return r.minter.APIScopes.Narrow(r.client, scope, r.Resources)
}

func (r *Refresh) newAccessToken(g storage.Grant, s *storage.Session) accessToken {
	a := accessToken{
		client:   r.client,
		grant:    g,
		issuedAt: r.issuedAt,
	}
	a.scope, _ = r.tokenScope(g) // Issue has checked it
	limit := g.Expires
	if s != nil {
		a.sid = g.SID
		limit = s.Expires
	}
	a.expiresAt = r.minter.accessTokenExpiry(r.client, r.issuedAt, limit)
	return a
}

func (r *Refresh) newIDToken(g storage.Grant, s *storage.Session) idToken {
	t := idToken{
		client:   r.client,
		subject:  r.minter.GrantedSubject(g, r.client),
		authTime: g.AuthTime,
		acr:      g.ACR,
		amr:      g.AMR,
		issuedAt: r.issuedAt,
	}
	if s != nil {
		t.sid = g.SID
		t.sessionExpires = s.Expires
	}
	return t
}
