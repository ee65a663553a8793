package tokens

import (
	"cmp"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Exchange is the exchange of a code for tokens (Core §3.1.3). The caller passes Issue to storage.Redeem, then calls
// Respond.
type Exchange struct {
	minter       *Minter
	client       *storage.Client
	code         Code
	issuedAt     time.Time
	grantID      string // of the new grant
	opaqueToken  string
	refreshToken string // the first refresh token; empty: the client does not get one
	tokenScope   []string
}

// NewExchange prepares the exchange of a code. The caller has checked its client, redirect URI and PKCE.
func (m *Minter) NewExchange(c *storage.Client, code Code, at time.Time) *Exchange {
	code.Scope = m.APIScopes.Allowed(c, code.Scope)
	x := &Exchange{
		minter:   m,
		client:   c,
		code:     code,
		issuedAt: truncateToMillis(at),
		grantID:  newGrantID(at),

		tokenScope: code.Scope,
	}
	if !c.UsesJWTAccessTokens() {
		x.opaqueToken = keys.RandomWithPrefix(AccessPrefix)
	}
	if x.isOffline() || c.MayRefreshInSession() {
		x.refreshToken = keys.RandomWithPrefix(RefreshPrefix)
	}
	return x
}

// LimitTo limits the access token, but not the grant, to the APIs that resources names (RFC 8707 §2.2). It returns
// ErrResourceNotGranted if there is no such access token.
func (x *Exchange) LimitTo(resources []string) error {
	scope, ok := x.minter.APIScopes.Narrow(x.client, x.tokenScope, resources)
	if !ok {
		return ErrResourceNotGranted
	}
	x.tokenScope = scope
	return nil
}

// isOffline reports whether the new grant is offline access, which survives the session.
func (x *Exchange) isOffline() bool {
	return slices.Contains(x.code.Scope, "offline_access") && x.client.MayHoldOfflineAccess()
}

// Issue returns the records to store. Even if the grant is offline access, the access token belongs to the session and
// is revoked with it.
func (x *Exchange) Issue(s storage.Session, clientSession storage.ClientSession) (storage.Issuance, error) {
	grant := x.minter.newGrant(x.grantID, x.client, x.code, s, clientSession, x.issuedAt)
	accessToken := x.newAccessToken(s, grant)
	switch {
	case x.isOffline():
		grant.Session = ""
		grant.IdleTimeout = x.minter.Lifetimes.OfflineIdle
		if lifetime := x.minter.Lifetimes.OfflineAbsolute; lifetime > 0 {
			grant.Expires = x.issuedAt.Add(lifetime)
		}
		grant.RefreshHash = storage.HashOf(x.refreshToken)
	case x.refreshToken != "":
		grant.RefreshHash = storage.HashOf(x.refreshToken)
	default: // without a refresh token, the grant expires with its only access token
		grant.Expires = truncateToMillis(accessToken.expiresAt)
	}
	issuance := storage.Issuance{Grant: grant, Trust: accessToken.expiry(), ClientSubject: grant.ClientSubject}
	if x.opaqueToken != "" {
		issuance.Tokens = []storage.Token{x.minter.record(accessToken, x.opaqueToken)}
	}
	if hasOpenID(x.code.Scope) {
		issuance.Trust.Extend(x.minter.idTokenExpiry(x.newIDToken(s, grant)))
	}
	return issuance, nil
}

// Respond signs the tokens that Issue recorded. user may be nil unless NeedsUser returns true.
func (x *Exchange) Respond(result storage.RedeemResult, user *storage.User) (response Response, err error) {
	accessToken := x.newAccessToken(result.Session, result.Grant)
	accessToken.user = user
	if err := x.minter.setAccessToken(&response, accessToken, x.opaqueToken); err != nil {
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

// NeedsUser reports whether the ID token contains claims about the user.
func (x *Exchange) NeedsUser() bool {
	return idTokenNeedsUser(x.client, x.code.Claims) || accessTokenNeedsUser(x.client)
}

func (x *Exchange) newAccessToken(s storage.Session, g storage.Grant) accessToken {
	return accessToken{
		client:    x.client,
		grant:     g,
		sid:       g.SID,
		scope:     x.tokenScope,
		issuedAt:  x.issuedAt,
		expiresAt: x.minter.accessTokenExpiry(x.client, x.issuedAt, s.Expires),
	}
}

func (x *Exchange) newIDToken(s storage.Session, g storage.Grant) idToken {
	return idToken{
		client:         x.client,
		subject:        x.minter.GrantedSubject(g, x.client),
		authTime:       g.AuthTime,
		acr:            g.ACR,
		amr:            g.AMR,
		sid:            g.SID,
		sessionExpires: s.Expires,
		nonce:          x.code.Nonce,
		issuedAt:       x.issuedAt,
	}
}

// newGrant returns a grant bound to the session. It copies the session's authentication, because a later authentication
// does not change the grant.
func (m *Minter) newGrant(
	id string,
	c *storage.Client,
	code Code,
	s storage.Session,
	clientSession storage.ClientSession,
	at time.Time,
) storage.Grant {
	g := storage.Grant{
		ID:        id,
		Client:    c.ClientID,
		Subject:   s.Subject,
		Session:   s.ID,
		SID:       clientSession.SID,
		Scope:     code.Scope,
		Audience:  m.audience(c, code.Scope),
		Claims:    code.Claims,
		AuthTime:  s.AuthTime,
		AMR:       s.AMR,
		ACR:       s.ACR,
		Created:   at,
		LastUsed:  at,
		UserAgent: s.UserAgent,

		ClientSubject: cmp.Or(clientSession.ClientSubject, m.SubjectFor(s.Subject, c)),
	}
	if m.StatedACR != nil {
		requestedACR := parseStoredClaims(code.Claims).IDToken["acr"] // nil accepts every value
		g.ACR = m.StatedACR(s.ACR, requestedACR.Accepts)
	}
	return g
}

func hasOpenID(scope []string) bool { return slices.Contains(scope, "openid") }
