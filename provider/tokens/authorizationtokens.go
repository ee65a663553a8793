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
	f := &AuthorizationTokens{
		minter:          m,
		client:          c,
		code:            code,
		issuedAt:        truncateToMillis(at),
		withAccessToken: slices.Contains(responseType, "token"),
		withIDToken:     slices.Contains(responseType, "id_token"),
		idTokenOnly:     len(responseType) == 1,
	}
	if f.withAccessToken {
		f.grantID = newGrantID(at)
		if !c.UsesJWTAccessTokens() {
			f.opaqueToken = keys.Random(AccessPrefix)
		}
	}
	return f
}

// Issue returns the records to store. An ID token alone needs no grant, because the client session records it.
func (f *AuthorizationTokens) Issue(
	s storage.Session,
	clientSession storage.ClientSession,
) (issuance storage.Issuance, err error) {
	g := f.minter.newGrant(f.grantID, f.client, f.code, s, clientSession, f.issuedAt)
	if f.withAccessToken {
		a := f.newAccessToken(s, g)
		g.Expires = truncateToMillis(a.expiresAt)
		issuance = storage.Issuance{Grant: g, Trust: a.expiry()}
		if f.opaqueToken != "" {
			issuance.Tokens = []storage.Token{a.record(f.opaqueToken)}
		}
	}
	if f.withIDToken {
		issuance.Trust.Extend(f.minter.idTokenExpiry(f.newIDToken(s, g)))
	}
	return issuance, nil
}

// Respond signs the tokens that Issue recorded. code is the sealed code in the same response, or "". user may be nil
// unless NeedsUser returns true.
func (f *AuthorizationTokens) Respond(
	result storage.RedeemResult,
	code string,
	user *storage.User,
) (response Response, err error) {
	g := result.Grant
	if !f.withAccessToken {
		clientSession := storage.ClientSession{}
		if found := result.Session.ClientSession(f.client.ClientID); found != nil {
			clientSession = *found
		}
		g = f.minter.newGrant("", f.client, f.code, result.Session, clientSession, f.issuedAt)
	}
	if f.withAccessToken {
		if err := f.minter.setAccessToken(&response, f.newAccessToken(result.Session, g), f.opaqueToken); err != nil {
			return Response{}, err
		}
	}
	if f.withIDToken {
		t := f.newIDToken(result.Session, g)
		t.accessToken = response.AccessToken
		t.code = code
		t.userClaims = idTokenUserClaims(f.client, user, f.code.Scope, f.code.Claims)
		if user != nil && f.idTokenOnly { // without an access token, UserInfo cannot return them (Core §5.4)
			addScopeClaims(t.userClaims, user, f.code.Scope)
		}
		if response.IDToken, err = f.minter.signIDToken(t); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether the ID token contains claims about the user.
func (f *AuthorizationTokens) NeedsUser() bool {
	return f.withIDToken && (f.idTokenOnly || idTokenNeedsUser(f.client, f.code.Claims))
}

func (f *AuthorizationTokens) newAccessToken(s storage.Session, g storage.Grant) accessToken {
	return accessToken{
		client:    f.client,
		grant:     g,
		sid:       g.SID,
		scope:     g.Scope,
		issuedAt:  f.issuedAt,
		expiresAt: f.minter.accessTokenExpiry(f.client, f.issuedAt, s.Expires),
	}
}

func (f *AuthorizationTokens) newIDToken(s storage.Session, g storage.Grant) idToken {
	return idToken{
		client:                    f.client,
		subject:                   s.Subject,
		authTime:                  g.AuthTime,
		acr:                       g.ACR,
		amr:                       g.AMR,
		sid:                       g.SID,
		sessionExpires:            s.Expires,
		nonce:                     f.code.Nonce,
		issuedAt:                  f.issuedAt,
		fromAuthorizationEndpoint: true,
	}
}
