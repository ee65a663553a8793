package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Estimate is the trust horizon of one or more sessions: what may still be trusted, until when, and which clients
// have no bound. The three parts are never merged into one number.
type Estimate struct {
	At      time.Time             `json:"at"`
	OP      HorizonPart           `json:"op"`      // what the OP enforces
	Tokens  HorizonPart           `json:"tokens"`  // the access tokens that the OP issued
	Clients HorizonPart           `json:"clients"` // the clients' own sessions
	Offline []string              `json:"offline,omitempty"`
	Entries []storage.ReportEntry `json:"entries,omitempty"`
}

// HorizonPart is one of the three parts. Of its entries, Over trust nothing any more, Expiring end by ExpiresAt at
// the latest, and Unknown have no bound.
type HorizonPart struct {
	Entries      int       `json:"entries"`
	Over         int       `json:"over"` // revoked or confirmed
	Expiring     int       `json:"expiring"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	Unknown      int       `json:"unknown"`
	Notifying    int       `json:"notifying"`               // of the unknown: a notification is under way and may yet be confirmed
	UnknownNames []string  `json:"unknown_names,omitempty"` // of the unknown
}

// Complete reports whether nothing is trusted any more.
func (s HorizonPart) Complete() bool { return s.Expiring == 0 && s.Unknown == 0 }

// Remaining returns how long after at the last expiring entry ends; zero if none is expiring.
func (s HorizonPart) Remaining(at time.Time) time.Duration {
	if s.ExpiresAt.After(at) {
		return s.ExpiresAt.Sub(at)
	}
	return 0
}

// PreviewOptions are the conditions of a preview.
type PreviewOptions struct {
	IncludeOffline bool // offline access would end too
	Lifetimes      Lifetimes
}

// PreviewHorizon returns what could still be trusted if the session ended at that moment and no notification arrived.
// clients are those of its client sessions and of grants, which are all active grants of the user.
func PreviewHorizon(
	s storage.Session,
	clients map[string]*storage.Client,
	grants []storage.Grant,
	at time.Time,
	o PreviewOptions,
) Estimate {
	t := storage.Termination{EndedAt: at, Session: s, WholeSession: true, Clients: clients}
	for _, g := range grants {
		switch {
		case g.Session == s.ID || g.Offline() && o.IncludeOffline:
			t.Grants = append(t.Grants, g)
		case g.Offline() && s.ClientSession(g.Client) != nil:
			t.RemainingOffline = append(t.RemainingOffline, g)
		}
	}
	return newEstimate(reportEntries(t, o.Lifetimes, at), at, willBeNotified)
}

// AssessReport returns the trust horizon of an ended session as its report stands at that moment.
func AssessReport(r storage.Report, at time.Time) Estimate {
	return newEstimate(r.Entries, at, awaitsConfirmation)
}

// MergeEstimates returns the estimate of several sessions together: the latest of each bound, and every client
// without one.
func MergeEstimates(at time.Time, estimates ...Estimate) Estimate {
	var entries []storage.ReportEntry
	for _, e := range estimates {
		entries = append(entries, e.Entries...)
	}
	return newEstimate(entries, at, willBeNotified)
}

// willBeNotified is the notifying function of a preview.
func willBeNotified(entry storage.ReportEntry) bool {
	return slices.Contains(entry.Channels, BackChannel)
}

// awaitsConfirmation is the notifying function of a report. A delivery that has failed or was never planned confirms
// nothing any more.
func awaitsConfirmation(entry storage.ReportEntry) bool {
	return entry.Delivery == storage.DeliveryPending || entry.Renotification == RenotificationPending
}

// newEstimate adds entries up. notifying reports which of the unknown ones may yet be confirmed.
func newEstimate(entries []storage.ReportEntry, at time.Time, notifying func(storage.ReportEntry) bool) Estimate {
	e := Estimate{At: at, OP: HorizonPart{Entries: 1, Over: 1}, Entries: make([]storage.ReportEntry, 0, len(entries))}
	for _, entry := range entries {
		entry = EntryAt(entry, at)
		e.Entries = append(e.Entries, entry)
		switch {
		case entry.Kind == KindClientSession:
			e.Clients.add(entry, notifying)
		case entry.Kind == KindAccessTokens:
			e.Tokens.add(entry, notifying)
		case entry.Trust != storage.TrustRevoked && !slices.Contains(e.Offline, entry.Name):
			e.Offline = append(e.Offline, entry.Name)
		}
	}
	return e
}

func (s *HorizonPart) add(entry storage.ReportEntry, notifying func(storage.ReportEntry) bool) {
	s.Entries++
	switch entry.Trust {
	case storage.TrustRevoked, storage.TrustConfirmed:
		s.Over++
	case storage.TrustExpiring:
		s.Expiring++
		s.ExpiresAt = latest(s.ExpiresAt, entry.ExpiresAt)
	default:
		s.Unknown++
		if notifying(entry) {
			s.Notifying++
		}
		if !slices.Contains(s.UnknownNames, entry.Name) {
			s.UnknownNames = append(s.UnknownNames, entry.Name)
		}
	}
}
