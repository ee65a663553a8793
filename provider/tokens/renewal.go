package tokens

import (
	"errors"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// ErrScope: the scope asked for is more than what was granted.
var ErrScope = errors.New("the scope is more than what was granted")

// Renewal is a refresh (RFC 6749 §6, Core §12): storage.Refresh with Issue, then Answer.
type Renewal struct {
	minter *Minter
	client *storage.Client
	scope  []string // asked for; empty: all that was granted
	at     time.Time
	access string
	next   string
}

// Renewal begins a refresh by that refresh token.
func (m *Minter) Renewal(c *storage.Client, refresh string, scope []string, at time.Time) *Renewal {
	x := &Renewal{minter: m, client: c, scope: scope, at: instant(at), next: m.Ring.Successor(refresh)}
	if !jwtAccess(c) {
		x.access = keys.Random(AccessPrefix)
	}
	return x
}

// Next is the refresh token that follows the one presented.
func (x *Renewal) Next() string { return x.next }

// Issue is what is stored; the grant's own scope stays. Without a session (an offline grant) nothing of it belongs to one. ErrScope, and
// storage.ErrEnded if the client may not hold such a grant any more.
func (x *Renewal) Issue(g storage.Grant, s *storage.Session) (storage.Issue, error) {
	if !MayRefresh(x.client, g) {
		return storage.Issue{}, storage.ErrEnded
	}
	granted := Within(x.client, g.Scope)
	for _, scope := range x.scope {
		if !slices.Contains(granted, scope) {
			return storage.Issue{}, ErrScope
		}
	}
	a := x.accessOf(g, s)
	issue := storage.Issue{Grant: g, Trust: a.trust()}
	if x.access != "" {
		issue.Tokens = []storage.Token{a.record(x.access)}
	}
	if hasOpenID(a.scope) {
		issue.Trust.Extend(x.minter.idTrust(x.id(g, s)))
	}
	return issue, nil
}

// Answer signs what Issue stored. Its ID token has iss, sub, aud and auth_time of the first, and no nonce (Core §12.2). user is needed only if
// WantsUser says so.
func (x *Renewal) Answer(r storage.Refreshed, user *storage.User) (ans Answer, err error) {
	a := x.accessOf(r.Grant, r.Session)
	if err := x.minter.setAccess(&ans, a, x.access); err != nil {
		return Answer{}, err
	}
	ans.RefreshToken = x.next
	if hasOpenID(a.scope) {
		t := x.id(r.Grant, r.Session)
		t.access = ans.AccessToken
		if user != nil {
			t.claims = map[string]any{}
			addWishes(t.claims, user, wishesOf(r.Grant.Claims, x.client).IDToken)
		}
		if ans.IDToken, err = x.minter.signID(t); err != nil {
			return Answer{}, err
		}
	}
	return ans, nil
}

// WantsUser tells whether the ID token carries claims about the person.
func (x *Renewal) WantsUser(g storage.Grant) bool {
	return len(wishesOf(g.Claims, x.client).IDToken) > 0
}

func (x *Renewal) accessOf(g storage.Grant, s *storage.Session) access {
	a := access{client: x.client, grant: g, scope: Within(x.client, g.Scope), at: x.at}
	if len(x.scope) > 0 {
		a.scope = x.scope
	}
	limit := g.Expires
	if s != nil {
		a.sid, limit = g.SID, s.Expires
	}
	a.end = x.minter.accessEnd(x.client, x.at, limit)
	return a
}

func (x *Renewal) id(g storage.Grant, s *storage.Session) idToken {
	t := idToken{client: x.client, subject: g.Subject, authTime: g.AuthTime, acr: g.ACR, amr: g.AMR, at: x.at}
	if s != nil {
		t.sid, t.end = g.SID, s.Expires
	}
	return t
}
