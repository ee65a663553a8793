package storage

import "time"

// RefreshAction says how a store answers a refresh token of an active grant.
type RefreshAction int

// The actions.
const (
	// RefreshRefused: the store returns ErrRevoked.
	RefreshRefused RefreshAction = iota
	// RefreshRotate: the token is current. Its successor becomes current.
	RefreshRotate
	// RefreshRepeat: the token was exchanged last, within the grace. It gets the same successor again.
	RefreshRepeat
	// RefreshReused: the token was exchanged before. It or its successor was stolen (RFC 9700 §4.14.2).
	RefreshReused
)

// RefreshAction decides how a store answers r.Token, a refresh token of the grant.
func (g *Grant) RefreshAction(r RefreshRequest, at time.Time) RefreshAction {
	if r.Token == g.RefreshHash {
		return RefreshRotate
	}
	withinGrace := at.Sub(g.RotatedAt).Abs() <= r.Grace
	switch {
	case r.Token != g.PreviousHash, !withinGrace:
		return RefreshReused
	case r.NewToken != g.RefreshHash:
		return RefreshRefused // the key changed: NewToken is not the successor that the first exchange gave
	default:
		return RefreshRepeat
	}
}

// Refreshed returns a copy of the grant after the action. issued is the result of the refresh.
func (g Grant) Refreshed(action RefreshAction, r RefreshRequest, issued Issuance, at time.Time) Grant {
	if next := issued.Grant; next.ID == g.ID {
		g.Scope = next.Scope
		g.Audience = next.Audience
		g.Claims = next.Claims
		g.IdleTimeout = next.IdleTimeout
		g.Expires = next.Expires
		g.UserAgent = next.UserAgent
	}
	g.LastUsed = at
	if action == RefreshRotate {
		g.PreviousHash = g.RefreshHash
		g.RefreshHash = r.NewToken
		g.RotatedAt = at
	}
	if g.Offline() {
		g.Trust.Extend(issued.Trust)
	}
	return g
}

// UnexpiredAt reports whether the grant has not reached its own deadline at that time.
func (g *Grant) UnexpiredAt(at time.Time) bool {
	d := g.Deadline()
	return d.IsZero() || at.Before(d)
}
