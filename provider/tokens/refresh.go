package tokens

import (
	"errors"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ErrScopeNotGranted: the scope asked for is more than what was granted.
var ErrScopeNotGranted = errors.New("the scope is more than what was granted")

// Refresh is a refresh (RFC 6749 §6, Core §12): storage.Refresh with Issue, then Answer.
type Refresh struct {
	minter         *Minter
	client         *storage.Client
	requestedScope []string // asked for; empty: all that was granted
	issuedAt       time.Time
	opaqueToken    string
	newToken       string
}

// NewRefresh begins a refresh by that refresh token.
func (m *Minter) NewRefresh(c *storage.Client, token string, scope []string, at time.Time) *Refresh {
	r := &Refresh{
		minter:         m,
		client:         c,
		requestedScope: scope,
		issuedAt:       truncateToMillis(at),
		newToken:       m.Ring.NextRefreshToken(token),
	}
	if !c.UsesJWTAccessTokens() {
		r.opaqueToken = keys.Random(AccessPrefix)
	}
	return r
}

// NewToken is the refresh token that follows the one presented.
func (r *Refresh) NewToken() string { return r.newToken }

// Issue is what is stored; the grant's own scope stays. Without a session (an offline grant) nothing of it belongs to
// one. ErrScope, and storage.ErrEnded if the client may not hold such a grant any more.
func (r *Refresh) Issue(g storage.Grant, s *storage.Session) (storage.Issuance, error) {
	if !r.client.MayRefresh(g) {
		return storage.Issuance{}, storage.ErrRevoked
	}
	granted := r.client.AllowedScope(g.Scope)
	for _, scope := range r.requestedScope {
		if !slices.Contains(granted, scope) {
			return storage.Issuance{}, ErrScopeNotGranted
		}
	}
	a := r.newAccessToken(g, s)
	issuance := storage.Issuance{Grant: g, Trust: a.expiry()}
	if r.opaqueToken != "" {
		issuance.Tokens = []storage.Token{a.record(r.opaqueToken)}
	}
	if hasOpenID(a.scope) {
		issuance.Trust.Extend(r.minter.idTokenExpiry(r.newIDToken(g, s)))
	}
	return issuance, nil
}

// Respond signs what Issue stored. Its ID token has iss, sub, aud and auth_time of the first, and no nonce (Core
// §12.2). user is needed only if WantsUser says so.
func (r *Refresh) Respond(result storage.RefreshResult, user *storage.User) (response Response, err error) {
	a := r.newAccessToken(result.Grant, result.Session)
	if err := r.minter.setAccessToken(&response, a, r.opaqueToken); err != nil {
		return Response{}, err
	}
	response.RefreshToken = r.newToken
	if hasOpenID(a.scope) {
		t := r.newIDToken(result.Grant, result.Session)
		t.accessToken = response.AccessToken
		t.userClaims = idTokenUserClaims(r.client, user, a.scope, result.Grant.Claims)
		if response.IDToken, err = r.minter.signIDToken(t); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether the ID token carries claims about the user.
func (r *Refresh) NeedsUser(g storage.Grant) bool {
	return idTokenNeedsUser(r.client, g.Claims)
}

func (r *Refresh) newAccessToken(g storage.Grant, s *storage.Session) accessToken {
	a := accessToken{client: r.client, grant: g, scope: r.client.AllowedScope(g.Scope), issuedAt: r.issuedAt}
	if len(r.requestedScope) > 0 {
		a.scope = r.requestedScope
	}
	limit := g.Expires
	if s != nil {
		a.sid, limit = g.SID, s.Expires
	}
	a.expiresAt = r.minter.accessTokenExpiry(r.client, r.issuedAt, limit)
	return a
}

func (r *Refresh) newIDToken(g storage.Grant, s *storage.Session) idToken {
	t := idToken{
		client:   r.client,
		subject:  g.Subject,
		authTime: g.AuthTime,
		acr:      g.ACR,
		amr:      g.AMR,
		issuedAt: r.issuedAt,
	}
	if s != nil {
		t.sid, t.sessionExpires = g.SID, s.Expires
	}
	return t
}
