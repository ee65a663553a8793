package tokens

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// Front is what the authorization endpoint itself gives (implicit and hybrid, Core §3.2, §3.3): storage.Join with Issue, then Answer.
type Front struct {
	minter  *Minter
	client  *storage.Client
	code    Code
	at      time.Time
	token   bool // an access token is given
	idToken bool
	alone   bool // response_type is id_token and nothing else
	grant   string
	access  string
}

// Front begins an authorization response that carries tokens. responseType holds its words. Where it has code, the same Code is sealed and
// given beside them.
func (m *Minter) Front(c *storage.Client, code Code, responseType []string, at time.Time) *Front {
	f := &Front{minter: m, client: c, code: code, at: instant(at), token: slices.Contains(responseType, "token"), idToken: slices.Contains(responseType, "id_token"),
		alone: len(responseType) == 1}
	if f.token {
		f.grant = newGrantID(at)
		if !jwtAccess(c) {
			f.access = keys.Random(AccessPrefix)
		}
	}
	return f
}

// Issue is what is stored. With an ID token alone there is no grant: the membership is all that has to be known.
func (f *Front) Issue(s storage.Session, member storage.Member) (issue storage.Issue, err error) {
	g := newGrant(f.grant, f.client, f.code, s, member, f.at)
	if f.token {
		a := f.accessOf(s, g)
		g.Expires = instant(a.end)
		issue = storage.Issue{Grant: g, Trust: a.trust()}
		if f.access != "" {
			issue.Tokens = []storage.Token{a.record(f.access)}
		}
	}
	if f.idToken {
		issue.Trust.Extend(f.minter.idTrust(f.id(s, g)))
	}
	return issue, nil
}

// Answer signs what Issue stored. code is the text of the code that goes beside it, or empty. user is needed only if WantsUser says so.
func (f *Front) Answer(r storage.Redeemed, code string, user *storage.User) (ans Answer, err error) {
	g := r.Grant
	if !f.token {
		member := storage.Member{}
		if found := r.Session.Member(f.client.ClientID); found != nil {
			member = *found
		}
		g = newGrant("", f.client, f.code, r.Session, member, f.at)
	}
	if f.token {
		if err := f.minter.setAccess(&ans, f.accessOf(r.Session, g), f.access); err != nil {
			return Answer{}, err
		}
	}
	if f.idToken {
		t := f.id(r.Session, g)
		t.access, t.code = ans.AccessToken, code
		if user != nil {
			t.claims = map[string]any{}
			addWishes(t.claims, user, wishesOf(f.code.Claims, f.client).IDToken)
			if f.alone { // there is no access token to ask userinfo with (Core §5.4)
				addScopes(t.claims, user, f.code.Scope)
			}
		}
		if ans.IDToken, err = f.minter.signID(t); err != nil {
			return Answer{}, err
		}
	}
	return ans, nil
}

// WantsUser tells whether the ID token carries claims about the person.
func (f *Front) WantsUser() bool {
	return f.idToken && (f.alone || len(wishesOf(f.code.Claims, f.client).IDToken) > 0)
}

func (f *Front) accessOf(s storage.Session, g storage.Grant) access {
	return access{client: f.client, grant: g, sid: g.SID, scope: g.Scope, at: f.at, end: f.minter.accessEnd(f.client, f.at, s.Expires)}
}

func (f *Front) id(s storage.Session, g storage.Grant) idToken {
	return idToken{client: f.client, subject: s.Subject, authTime: g.AuthTime, acr: g.ACR, amr: g.AMR, sid: g.SID, end: s.Expires, nonce: f.code.Nonce, at: f.at, front: true}
}
