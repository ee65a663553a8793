package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Estimate is the trust horizon of one or more sessions: what may still be trusted, until when, and by whom that nobody can know.
// The three numbers are never merged.
type Estimate struct {
	At      time.Time     `json:"at"`
	Op      Scope         `json:"op"`     // what the OP enforces
	Tokens  Scope         `json:"tokens"` // the access tokens it minted
	Apps    Scope         `json:"apps"`   // the applications' own sessions
	Offline []string      `json:"offline,omitempty"`
	Rows    []storage.Row `json:"rows,omitempty"`
}

// Scope is one of the three numbers: of Holders, Ended trust nothing any more, Bounded stop by themselves at Until at the
// latest, and of Unknown nobody can know.
type Scope struct {
	Holders int       `json:"holders"`
	Ended   int       `json:"ended"` // closed or confirmed
	Bounded int       `json:"bounded"`
	Until   time.Time `json:"until,omitzero"`
	Unknown int       `json:"unknown"`
	Told    int       `json:"told"`            // of the unknown, those that are told directly and may yet confirm
	Names   []string  `json:"names,omitempty"` // of the unknown
}

// AtOnce tells whether nothing is trusted any more.
func (s Scope) AtOnce() bool { return s.Bounded == 0 && s.Unknown == 0 }

// Within is how long after that moment the last bounded holder stops; zero if none is bounded.
func (s Scope) Within(at time.Time) time.Duration {
	if s.Until.After(at) {
		return s.Until.Sub(at)
	}
	return 0
}

// Options of a preview.
type Options struct {
	Offline   bool // offline access would end too
	Lifetimes Lifetimes
}

// Horizon is what a session's end at that moment would leave: "if you sign out now". clients are those of its members and of
// grants, the user's living grants. It is the hard bound, if nobody could be told.
func Horizon(s storage.Session, clients map[string]*storage.Client, grants []storage.Grant, at time.Time, o Options) Estimate {
	e := storage.Ended{At: at, Session: s, Whole: true, Clients: clients}
	for _, g := range grants {
		switch {
		case g.Session == s.ID || g.Offline() && o.Offline:
			e.Grants = append(e.Grants, g)
		case g.Offline() && s.Member(g.Client) != nil:
			e.Offline = append(e.Offline, g)
		}
	}
	return estimate(holders(e, o.Lifetimes), at, willBeTold)
}

// Assess is what an ended session's report says at that moment.
func Assess(r storage.Report, at time.Time) Estimate { return estimate(r.Rows, at, isBeingTold) }

// Join is the preview of several sessions taken together: the latest of each bound, all that is unknown.
func Join(at time.Time, estimates ...Estimate) Estimate {
	var rows []storage.Row
	for _, e := range estimates {
		rows = append(rows, e.Rows...)
	}
	return estimate(rows, at, willBeTold)
}

// willBeTold is for a preview.
func willBeTold(row storage.Row) bool { return slices.Contains(row.Channels, BackChannel) }

// isBeingTold is for a report: whoever was given up, or was never told of an expiry, confirms nothing any more.
func isBeingTold(row storage.Row) bool {
	return row.Delivery == storage.DeliveryPending || row.Late == LatePending
}

// estimate adds rows up. told says which of the unknown may yet confirm.
func estimate(rows []storage.Row, at time.Time, told func(storage.Row) bool) Estimate {
	e := Estimate{At: at, Op: Scope{Holders: 1, Ended: 1}, Rows: make([]storage.Row, 0, len(rows))}
	for _, row := range rows {
		row = RowAt(row, at)
		e.Rows = append(e.Rows, row)
		switch {
		case row.Kind == KindApplication:
			e.Apps.add(row, told)
		case row.Kind == KindTokens:
			e.Tokens.add(row, told)
		case row.Trust != storage.TrustClosed && !slices.Contains(e.Offline, row.Name):
			e.Offline = append(e.Offline, row.Name)
		}
	}
	return e
}

func (s *Scope) add(row storage.Row, told func(storage.Row) bool) {
	s.Holders++
	switch row.Trust {
	case storage.TrustClosed, storage.TrustConfirmed:
		s.Ended++
	case storage.TrustBounded:
		s.Bounded++
		s.Until = latest(s.Until, row.Until)
	default:
		s.Unknown++
		if told(row) {
			s.Told++
		}
		if !slices.Contains(s.Names, row.Name) {
			s.Names = append(s.Names, row.Name)
		}
	}
}
