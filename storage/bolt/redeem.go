package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Redeem implements storage.Grants.
func (s *Store) Redeem(ctx context.Context, code storage.Code, at time.Time, issue func(storage.Session, storage.Member) (storage.Issue, error)) (storage.Redeemed, error) {
	at = milli(at)
	s.saw(at)
	return write(ctx, s, func(t *tx) (storage.Redeemed, error) {
		if used, ok := t.codeUse(code); ok {
			return t.reuse(used), nil
		}
		r, err := t.join(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("redeem code: %w", err)
		}
		t.spendCode(code, use{until: milli(code.Expires), grant: r.Grant.ID})
		return r, nil
	})
}

// Join implements storage.Grants.
func (s *Store) Join(ctx context.Context, code storage.Code, at time.Time, issue func(storage.Session, storage.Member) (storage.Issue, error)) (storage.Redeemed, error) {
	at = milli(at)
	return write(ctx, s, func(t *tx) (storage.Redeemed, error) {
		r, err := t.join(code, at, issue)
		if err != nil {
			return r, fmt.Errorf("join session: %w", err)
		}
		return r, nil
	})
}

// reuse answers the second use of a code with the grant that the first gave: one of the two was a thief's (RFC 6749 §4.1.2).
func (t *tx) reuse(u use) storage.Redeemed {
	g, _ := t.grant(u.grant)
	return storage.Redeemed{Reused: true, Grant: g}
}

// join makes a client a member of a session and stores what it gets. Everything is checked before anything is written.
func (t *tx) join(code storage.Code, at time.Time, issue func(storage.Session, storage.Member) (storage.Issue, error)) (storage.Redeemed, error) {
	var r storage.Redeemed
	n, ok := t.liveSession(code.Session, at)
	switch {
	case !ok || n.Subject != code.Subject || !t.enabled(code.Subject) || t.client(code.Client) == nil:
		return r, storage.ErrEnded
	case !at.Before(code.Expires) || code.Issued.After(at.Add(storage.ClockStep)) || t.codeDead(n, code),
		t.memory.swept.forgot(code.Issued, code.Expires):
		return r, storage.ErrEnded
	}
	m, joins := n.Member(code.Client), false
	if m == nil {
		if !t.freeSID(code.SID) {
			return r, fmt.Errorf("sid of a new member: %w", storage.ErrExists)
		}
		n.Members = append(n.Members, storage.Member{Client: code.Client, SID: code.SID, Began: milli(code.Issued), Joined: at, LastUsed: at})
		m, joins = &n.Members[len(n.Members)-1], true
	}
	out, err := issue(n, *m)
	if err != nil {
		return r, err
	}
	g := milliGrant(out.Grant)
	if g.ID != "" {
		if t.get(grants, []byte(g.ID)) != nil {
			return r, fmt.Errorf("grant: %w", storage.ErrExists)
		}
		g.Client, g.Subject, g.SID = code.Client, code.Subject, m.SID
		if !g.Offline() {
			g.Session = n.ID
		} else {
			g.Trust.Extend(milliTrust(out.Trust))
		}
		t.addGrant(g, n.Expires)
	}
	m.LastUsed = at
	m.Trust.Extend(milliTrust(out.Trust))
	t.putMember(n.ID, *m, joins)
	t.putTokens(g, out.Tokens)
	if code.Issued.Sub(n.LastActive) >= storage.ActivityStep {
		t.touch(&n, milli(code.Issued)) // the authorization request was a use of the session
	}
	r.Session, r.Grant = n, g
	return r, nil
}

// putTokens stores the tokens issued under a grant.
func (t *tx) putTokens(g storage.Grant, list []storage.Token) {
	for _, k := range list {
		k.Grant, k.Client, k.Subject = g.ID, g.Client, g.Subject
		t.putToken(k)
	}
}

// grantEnded is the audit line of a grant that ended.
func grantEnded(g storage.Grant, cause storage.Cause, at time.Time) storage.Event {
	return storage.Event{
		At: at, Kind: "grant.ended", Reason: cause.Reason, Cause: cause.ID, By: cause.By, Address: cause.Address,
		Subject: g.Subject, Session: storage.SessionHash(g.Session), Client: g.Client,
	}
}
