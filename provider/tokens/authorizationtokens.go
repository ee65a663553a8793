package tokens

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// AuthorizationTokens is what the authorization endpoint itself gives (implicit and hybrid, Core §3.2, §3.3):
// storage.Join with Issue, then Answer.
type AuthorizationTokens struct {
	minter          *Minter
	client          *storage.Client
	code            Code
	issuedAt        time.Time
	withAccessToken bool // an access token is given
	withIDToken     bool
	idTokenOnly     bool // response_type is id_token and nothing else
	grantID         string
	opaqueToken     string
}

// NewAuthorizationTokens begins an authorization response that carries tokens. responseType holds its words. Where it
// has code, the same Code is sealed and given beside them.
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

// Issue returns what is stored. With an ID token alone there is no grant: the client session is enough.
func (f *AuthorizationTokens) Issue(
	s storage.Session,
	clientSession storage.ClientSession,
) (issuance storage.Issuance, err error) {
	g := newGrant(f.grantID, f.client, f.code, s, clientSession, f.issuedAt)
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

// Respond signs what Issue stored. code is the text of the code that goes beside it, or empty. user is needed only if
// WantsUser says so.
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
		g = newGrant("", f.client, f.code, result.Session, clientSession, f.issuedAt)
	}
	if f.withAccessToken {
		if err := f.minter.setAccessToken(&response, f.newAccessToken(result.Session, g), f.opaqueToken); err != nil {
			return Response{}, err
		}
	}
	if f.withIDToken {
		t := f.newIDToken(result.Session, g)
		t.accessToken, t.code = response.AccessToken, code
		t.userClaims = idTokenUserClaims(f.client, user, f.code.Scope, f.code.Claims)
		if user != nil && f.idTokenOnly { // no access token gives them at userinfo (Core §5.4)
			addScopeClaims(t.userClaims, user, f.code.Scope)
		}
		if response.IDToken, err = f.minter.signIDToken(t); err != nil {
			return Response{}, err
		}
	}
	return response, nil
}

// NeedsUser reports whether the ID token carries claims about the user.
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
