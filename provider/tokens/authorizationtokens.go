package tokens

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// AuthorizationTokens are the tokens in an authorization response (implicit and hybrid flow, Core §3.2, §3.3). The
// caller passes Issue to storage.Join, then calls Respond.
type AuthorizationTokens struct {
	minter          *Minter
	client          *storage.Client
	code            Code
	issuedAt        time.Time
	withAccessToken bool
	withIDToken     bool
	idTokenOnly     bool // response_type is id_token alone
	grantID         string
	opaqueToken     string
}

// NewAuthorizationTokens prepares an authorization response with tokens. responseType holds the values of
// response_type. If it contains code, the caller also sends the sealed code.
func (m *Minter) NewAuthorizationTokens(
	c *storage.Client,
	code Code,
	responseType []string,
	at time.Time,
) *AuthorizationTokens {
	t := &AuthorizationTokens{
		minter:          m,
		client:          c,
		code:            code,
		issuedAt:        truncateToMillis(at),
		withAccessToken: slices.Contains(responseType, "token"),
		withIDToken:     slices.Contains(responseType, "id_token"),
		idTokenOnly:     len(responseType) == 1,
	}
	if t.withAccessToken {
		t.grantID = newGrantID(at)
		if !c.UsesJWTAccessTokens() {
			t.opaqueToken = keys.RandomWithPrefix(AccessPrefix)
		}
	}
	return t
}

// Issue returns the records to store. An ID token alone needs no grant, because the client session records it. Issue
// never returns an error; storage.Join requires the result.
func (t *AuthorizationTokens) Issue(
	s storage.Session,
	clientSession storage.ClientSession,
) (issuance storage.Issuance, err error) {
	g := t.minter.newGrant(t.grantID, t.client, t.code, s, clientSession, t.issuedAt)
	issuance.ClientSubject = g.ClientSubject
	if t.withAccessToken {
		accessToken := t.newAccessToken(s, g)
		g.Expires = truncateToMillis(accessToken.expiresAt)
		issuance.Grant = g
		issuance.Trust = accessToken.expiry()
		if t.opaqueToken != "" {
			issuance.Tokens = []storage.Token{t.minter.record(accessToken, t.opaqueToken)}
		}
	}
	if t.withIDToken {
		issuance.Trust.Extend(t.minter.idTokenExpiry(t.newIDToken(s, g)))
	}
	return issuance, nil
}

// Respond signs the tokens that Issue recorded. code is the sealed code in the same response, or "". user may be nil
// unless NeedsUser returns true.
func (t *AuthorizationTokens) Respond(
	result storage.RedeemResult,
	code string,
	user *storage.User,
) (response Response, err error) {
	g := result.Grant
	if !t.withAccessToken {
		clientSession := storage.ClientSession{}
		if found := result.Session.ClientSession(t.client.ClientID); found != nil {
			clientSession = *found
		}
		g = t.minter.newGrant("", t.client, t.code, result.Session, clientSession, t.issuedAt)
	}
	if t.withAccessToken {
		accessToken := t.newAccessToken(result.Session, g)
		accessToken.user = user
		if err := t.minter.setAccessToken(&response, accessToken, t.opaqueToken); err != nil {
			return Response{}, err
		}
	}
	if t.withIDToken {
		idToken := t.newIDToken(result.Session, g)
		idToken.accessToken = response.AccessToken
		idToken.code = code
		idToken.userClaims = idTokenUserClaims(t.client, user, t.code.Scope, t.code.Claims)
		if user != nil && t.idTokenOnly { // without an access token, UserInfo cannot return them (Core §5.4)
			addScopeClaims(idToken.userClaims, user, t.code.Scope)
		}
		if response.IDToken, err = t.minter.signIDToken(idToken); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether one of the tokens contains claims about the user.
func (t *AuthorizationTokens) NeedsUser() bool {
	inIDToken := t.withIDToken && (t.idTokenOnly || idTokenNeedsUser(t.client, t.code.Claims))
	inAccessToken := t.withAccessToken && accessTokenNeedsUser(t.client)
	return inIDToken || inAccessToken
}

func (t *AuthorizationTokens) newAccessToken(s storage.Session, g storage.Grant) accessToken {
	return accessToken{
		client:    t.client,
		grant:     g,
		sid:       g.SID,
		scope:     g.Scope,
		issuedAt:  t.issuedAt,
		expiresAt: t.minter.accessTokenExpiry(t.client, t.issuedAt, s.Expires),
	}
}

func (t *AuthorizationTokens) newIDToken(s storage.Session, g storage.Grant) idToken {
	return idToken{
		client:                    t.client,
		subject:                   t.minter.GrantedSubject(g, t.client),
		authTime:                  g.AuthTime,
		acr:                       g.ACR,
		amr:                       g.AMR,
		sid:                       g.SID,
		sessionExpires:            s.Expires,
		nonce:                     t.code.Nonce,
		issuedAt:                  t.issuedAt,
		fromAuthorizationEndpoint: true,
	}
}
