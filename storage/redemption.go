package storage

import "time"

// RedemptionFacts are what a store finds about a code in the transaction that redeems it.
type RedemptionFacts struct {
	Session       *Session // the active session that the code names, with the client sessions that count; nil: there is none
	UserEnabled   bool
	ClientEnabled bool
	CutOff        bool // a cutoff keeps the code out
	Forgotten     bool // SweepHistory.ForgotCode
}

// MayRedeem reports whether a code that was not used before may still give tokens.
func (c Code) MayRedeem(f RedemptionFacts, at time.Time) bool {
	return f.Session != nil && f.Session.Subject == c.Subject && f.UserEnabled && f.ClientEnabled &&
		!f.CutOff && !f.Forgotten && c.timely(at)
}

// timely reports whether the code has neither expired nor been issued by a clock that has been put back since by more
// than the code's lifetime. A smaller step back does not hurt.
func (c Code) timely(at time.Time) bool {
	lifetime := c.Expires.Sub(c.Issued)
	return at.Before(c.Expires) && !c.Issued.After(at.Add(lifetime))
}

// Join returns the client session that a redemption at that time uses, and adds one if the client has none in the
// session.
func (s *Session) Join(c Code, committed Sequence, at time.Time) (cs *ClientSession, isNew bool) {
	if cs = s.ClientSession(c.Client); cs != nil {
		return cs, false
	}
	s.ClientSessions = append(s.ClientSessions, ClientSession{
		Client:   c.Client,
		SID:      c.SID,
		Sequence: committed,
		Joined:   at,
		LastUsed: at,
	})
	return &s.ClientSessions[len(s.ClientSessions)-1], true
}

// Bind completes what a redemption gives: whose the grant is, where it belongs, and how long its tokens may be trusted.
func (c Code) Bind(issued Issuance, session SessionID, cs *ClientSession, committed Sequence, at time.Time) Grant {
	g := issued.Grant
	if g.ID != "" {
		g.Client, g.Subject, g.SID, g.Sequence = c.Client, c.Subject, cs.SID, committed
		if g.Offline() {
			g.Trust.Extend(issued.Trust)
		} else {
			g.Session = session
		}
	}
	cs.LastUsed = at
	cs.TokenExpiry.Extend(issued.Trust)
	return g
}
