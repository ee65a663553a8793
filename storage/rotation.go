package storage

import "time"

// RefreshAction is what follows from presenting a refresh token of a grant that is active.
type RefreshAction int

// The actions.
const (
	RefreshRefused RefreshAction = iota // ErrRevoked
	RefreshRotate                       // the current token: its successor becomes current
	RefreshRepeat                       // the token before it, within the grace: the same successor again
	RefreshReused                       // an exchanged token: it or its successor was stolen (RFC 9700 §4.14.2)
)

// RefreshAction decides what follows from presenting r.Token, which belongs to the grant.
func (g *Grant) RefreshAction(r RefreshRequest, at time.Time) RefreshAction {
	switch {
	case r.Token == g.RefreshHash:
		return RefreshRotate
	case r.Token != g.PreviousHash || at.Sub(g.RotatedAt).Abs() > r.Grace:
		return RefreshReused
	case r.NewToken != g.RefreshHash:
		return RefreshRefused // derived under another key: the first answer cannot be given again
	default:
		return RefreshRepeat
	}
}

// Refreshed returns the grant as it is after action. issued is what the refresh gives.
func (g Grant) Refreshed(action RefreshAction, r RefreshRequest, issued Issuance, at time.Time) Grant {
	if next := issued.Grant; next.ID == g.ID {
		g.Scope, g.Audience, g.Claims = next.Scope, next.Audience, next.Claims
		g.IdleTimeout, g.Expires, g.UserAgent = next.IdleTimeout, next.Expires, next.UserAgent
	}
	g.LastUsed = at
	if action == RefreshRotate {
		g.PreviousHash, g.RefreshHash, g.RotatedAt = g.RefreshHash, r.NewToken, at
	}
	if g.Offline() {
		g.Trust.Extend(issued.Trust)
	}
	return g
}

// UnexpiredAt reports whether the grant is before its own deadline.
func (g *Grant) UnexpiredAt(at time.Time) bool {
	d := g.Deadline()
	return d.IsZero() || at.Before(d)
}
