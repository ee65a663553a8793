package storage

import (
	"cmp"
	"time"
)

// RedemptionFacts are the facts that decide whether a code may be redeemed. A store reads them in the transaction that
// redeems the code.
type RedemptionFacts struct {
	Session       *Session // the code's session, if it is active, with its active client sessions; nil otherwise
	UserEnabled   bool
	ClientEnabled bool
	Admitted      bool // Client.Admits the user
	CutOff        bool // a Cutoff invalidates the code
	Forgotten     bool // SweepHistory.ForgotCode
}

// MayRedeem reports whether a code that was not used before may be redeemed.
func (c Code) MayRedeem(f RedemptionFacts, at time.Time) bool {
	hasSession := f.Session != nil && f.Session.Subject == c.Subject
	enabled := f.UserEnabled && f.ClientEnabled && f.Admitted
	invalidated := f.CutOff || f.Forgotten
	return hasSession && enabled && !invalidated && c.validAt(at)
}

// validAt reports whether the code has not expired. It also refuses a code whose time of issue lies more than its
// lifetime in the future: the clock was set back after the code was issued. A smaller step back is harmless.
func (c Code) validAt(at time.Time) bool {
	lifetime := c.Expires.Sub(c.Issued)
	return at.Before(c.Expires) && !c.Issued.After(at.Add(lifetime))
}

// Join returns the client's client session, and adds one if the session has none for the client.
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

// Bind binds the issued grant to the code's client, user and client session, and returns it. It also extends the token
// expiry of the client session and, for offline access, of the grant. The subject identifier that the client session
// got first stays.
func (c Code) Bind(issued Issuance, session SessionID, cs *ClientSession, committed Sequence, at time.Time) Grant {
	g := issued.Grant
	cs.ClientSubject = cmp.Or(cs.ClientSubject, issued.ClientSubject)
	if g.ID != "" {
		g.ClientSubject = cs.ClientSubject
		g.Client = c.Client
		g.Subject = c.Subject
		g.SID = cs.SID
		g.Sequence = committed
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
