package tokens

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Exchange is the exchange of a code for tokens (Core §3.1.3): storage.Redeem with Issue, then Answer.
type Exchange struct {
	minter *Minter
	client *storage.Client
	code   Code
	at     time.Time
	grant  string // the new grant's id
	access string
	fresh  string // the first refresh token; empty: the client gets none
}

// Exchange begins the exchange of a code that was checked against client, redirect URI and PKCE.
func (m *Minter) Exchange(c *storage.Client, code Code, at time.Time) *Exchange {
	code.Scope = Within(c, code.Scope)
	x := &Exchange{minter: m, client: c, code: code, at: instant(at), grant: newGrantID(at)}
	if !jwtAccess(c) {
		x.access = keys.Random(AccessPrefix)
	}
	if x.offline() || refreshInSession(c) {
		x.fresh = keys.Random(RefreshPrefix)
	}
	return x
}

// offline tells whether the grant will survive the session.
func (x *Exchange) offline() bool {
	return slices.Contains(x.code.Scope, "offline_access") && logout.MayHoldOffline(x.client)
}

// Issue is what is stored. An offline grant survives the session; the access token beside it is of the session and dies with it.
func (x *Exchange) Issue(s storage.Session, member storage.Member) (storage.Issue, error) {
	g := newGrant(x.grant, x.client, x.code, s, member, x.at)
	a := x.accessOf(s, g)
	switch {
	case x.offline():
		g.Session, g.Idle = "", x.minter.Lifetimes.OfflineIdle
		if end := x.minter.Lifetimes.OfflineEnd; end > 0 {
			g.Expires = x.at.Add(end)
		}
		g.Refresh = storage.HashOf(x.fresh)
	case x.fresh != "":
		g.Refresh = storage.HashOf(x.fresh)
	default:
		g.Expires = instant(a.end) // nothing of it is left then
	}
	issue := storage.Issue{Grant: g, Trust: a.trust()}
	if x.access != "" {
		issue.Tokens = []storage.Token{a.record(x.access)}
	}
	if hasOpenID(x.code.Scope) {
		issue.Trust.Extend(x.minter.idTrust(x.id(s, g)))
	}
	return issue, nil
}

// Answer signs what Issue stored. user is needed only if WantsUser says so.
func (x *Exchange) Answer(r storage.Redeemed, user *storage.User) (ans Answer, err error) {
	if err := x.minter.setAccess(&ans, x.accessOf(r.Session, r.Grant), x.access); err != nil {
		return Answer{}, err
	}
	ans.RefreshToken = x.fresh
	if hasOpenID(x.code.Scope) {
		t := x.id(r.Session, r.Grant)
		t.access = ans.AccessToken
		if user != nil {
			t.claims = map[string]any{}
			addWishes(t.claims, user, wishesOf(x.code.Claims, x.client).IDToken)
		}
		if ans.IDToken, err = x.minter.signID(t); err != nil {
			return Answer{}, err
		}
	}
	return ans, nil
}

// WantsUser tells whether the ID token carries claims about the person.
func (x *Exchange) WantsUser() bool { return len(wishesOf(x.code.Claims, x.client).IDToken) > 0 }

func (x *Exchange) accessOf(s storage.Session, g storage.Grant) access {
	return access{client: x.client, grant: g, sid: g.SID, scope: g.Scope, at: x.at, end: x.minter.accessEnd(x.client, x.at, s.Expires)}
}

func (x *Exchange) id(s storage.Session, g storage.Grant) idToken {
	return idToken{client: x.client, subject: s.Subject, authTime: g.AuthTime, acr: g.ACR, amr: g.AMR, sid: g.SID, end: s.Expires, nonce: x.code.Nonce, at: x.at}
}

// newGrant is a grant bound to a session. It keeps the authentication as it was: a later one does not change what was granted on this one.
func newGrant(id string, c *storage.Client, code Code, s storage.Session, member storage.Member, at time.Time) storage.Grant {
	return storage.Grant{ID: id, Client: c.ClientID, Subject: s.Subject, Session: s.ID, SID: member.SID, Scope: code.Scope, Audience: audience(c), Claims: code.Claims,
		AuthTime: s.AuthTime, AMR: s.AMR, ACR: acrOf(s), Created: at, LastUsed: at, UserAgent: s.UserAgent}
}

func acrOf(s storage.Session) string {
	if s.ACR == "" {
		return ACRPassword
	}
	return s.ACR
}

func hasOpenID(scope []string) bool { return slices.Contains(scope, "openid") }
