package tokens

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Exchange is the exchange of a code for tokens (Core §3.1.3): storage.Redeem with Issue, then Answer.
type Exchange struct {
	minter       *Minter
	client       *storage.Client
	code         Code
	issuedAt     time.Time
	grantID      string // the new grant's id
	opaqueToken  string
	refreshToken string // the first refresh token; empty: the client gets none
}

// NewExchange begins the exchange of a code that was checked against client, redirect URI and PKCE.
func (m *Minter) NewExchange(c *storage.Client, code Code, at time.Time) *Exchange {
	code.Scope = c.AllowedScope(code.Scope)
	x := &Exchange{minter: m, client: c, code: code, issuedAt: truncateToMillis(at), grantID: newGrantID(at)}
	if !c.UsesJWTAccessTokens() {
		x.opaqueToken = keys.Random(AccessPrefix)
	}
	if x.isOffline() || c.MayRefreshInSession() {
		x.refreshToken = keys.Random(RefreshPrefix)
	}
	return x
}

// isOffline reports whether the grant will survive the session.
func (x *Exchange) isOffline() bool {
	return slices.Contains(x.code.Scope, "offline_access") && x.client.MayHoldOfflineAccess()
}

// Issue is what is stored. An offline grant survives the session; the access token beside it is of the session and is
// revoked with it.
func (x *Exchange) Issue(s storage.Session, clientSession storage.ClientSession) (storage.Issuance, error) {
	g := newGrant(x.grantID, x.client, x.code, s, clientSession, x.issuedAt)
	a := x.newAccessToken(s, g)
	switch {
	case x.isOffline():
		g.Session, g.IdleTimeout = "", x.minter.Lifetimes.OfflineIdle
		if lifetime := x.minter.Lifetimes.OfflineAbsolute; lifetime > 0 {
			g.Expires = x.issuedAt.Add(lifetime)
		}
		g.RefreshHash = storage.HashOf(x.refreshToken)
	case x.refreshToken != "":
		g.RefreshHash = storage.HashOf(x.refreshToken)
	default:
		g.Expires = truncateToMillis(a.expiresAt) // nothing of it is left then
	}
	issuance := storage.Issuance{Grant: g, Trust: a.expiry()}
	if x.opaqueToken != "" {
		issuance.Tokens = []storage.Token{a.record(x.opaqueToken)}
	}
	if hasOpenID(x.code.Scope) {
		issuance.Trust.Extend(x.minter.idTokenExpiry(x.newIDToken(s, g)))
	}
	return issuance, nil
}

// Respond signs what Issue stored. user is needed only if WantsUser says so.
func (x *Exchange) Respond(result storage.RedeemResult, user *storage.User) (response Response, err error) {
	if err := x.minter.setAccessToken(&response, x.newAccessToken(result.Session, result.Grant), x.opaqueToken); err != nil {
		return Response{}, err
	}
	response.RefreshToken = x.refreshToken
	if hasOpenID(x.code.Scope) {
		t := x.newIDToken(result.Session, result.Grant)
		t.accessToken = response.AccessToken
		t.userClaims = idTokenUserClaims(x.client, user, result.Grant.Scope, x.code.Claims)
		if response.IDToken, err = x.minter.signIDToken(t); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether the ID token carries claims about the user.
func (x *Exchange) NeedsUser() bool {
	return idTokenNeedsUser(x.client, x.code.Claims)
}

func (x *Exchange) newAccessToken(s storage.Session, g storage.Grant) accessToken {
	return accessToken{
		client:    x.client,
		grant:     g,
		sid:       g.SID,
		scope:     g.Scope,
		issuedAt:  x.issuedAt,
		expiresAt: x.minter.accessTokenExpiry(x.client, x.issuedAt, s.Expires),
	}
}

func (x *Exchange) newIDToken(s storage.Session, g storage.Grant) idToken {
	return idToken{
		client:         x.client,
		subject:        s.Subject,
		authTime:       g.AuthTime,
		acr:            g.ACR,
		amr:            g.AMR,
		sid:            g.SID,
		sessionExpires: s.Expires,
		nonce:          x.code.Nonce,
		issuedAt:       x.issuedAt,
	}
}

// newGrant is a grant bound to a session. It keeps the authentication as it was: a later one does not change what was
// granted on this one.
func newGrant(
	id string,
	c *storage.Client,
	code Code,
	s storage.Session,
	clientSession storage.ClientSession,
	at time.Time,
) storage.Grant {
	return storage.Grant{
		ID:        id,
		Client:    c.ClientID,
		Subject:   s.Subject,
		Session:   s.ID,
		SID:       clientSession.SID,
		Scope:     code.Scope,
		Audience:  audience(c),
		Claims:    code.Claims,
		AuthTime:  s.AuthTime,
		AMR:       s.AMR,
		ACR:       s.ACR,
		Created:   at,
		LastUsed:  at,
		UserAgent: s.UserAgent,
	}
}

func hasOpenID(scope []string) bool { return slices.Contains(scope, "openid") }
