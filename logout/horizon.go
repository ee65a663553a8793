package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Estimate is the trust horizon of one or more sessions: until when they may still be trusted, and which clients have
// no bound. Its parts are shown separately; only Chain composes them.
type Estimate struct {
	At      time.Time   `json:"at"`
	OP      HorizonPart `json:"op"`      // the sessions at the OP
	Tokens  HorizonPart `json:"tokens"`  // the access tokens that the OP issued
	Clients HorizonPart `json:"clients"` // the clients' own sessions

	Upstream HorizonPart   `json:"upstream,omitzero"` // the sessions at upstreams; no entries if there are none
	Chain    *ChainHorizon `json:"chain,omitempty"`   // nil: no session came from an upstream

	Offline []string              `json:"offline,omitempty"`
	Entries []storage.ReportEntry `json:"entries,omitempty"`
}

// HorizonPart is one part of a trust horizon. It counts report entries.
type HorizonPart struct {
	Entries      int       `json:"entries"`
	Over         int       `json:"over"`                    // entries that are revoked or confirmed
	Expiring     int       `json:"expiring"`                // entries that expire by themselves
	ExpiresAt    time.Time `json:"expires_at,omitzero"`     // when the last of the expiring entries expires
	Unknown      int       `json:"unknown"`                 // entries without a bound
	Notifying    int       `json:"notifying"`               // unknown entries that a pending notification may confirm
	UnknownNames []string  `json:"unknown_names,omitempty"` // names of the clients of the unknown entries
}

// Complete reports whether nothing is trusted any more: all entries are over.
func (s HorizonPart) Complete() bool { return s.Expiring == 0 && s.Unknown == 0 }

// Remaining returns the time from at until the last expiring entry expires; zero if none is expiring.
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

// PreviewHorizon returns the trust horizon for the case that the session ended at that time and no notification
// arrived. grants are all active grants of the user. clients are the clients of the client sessions and the grants.
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
		case g.Session == s.ID, g.Offline() && o.IncludeOffline:
			t.Grants = append(t.Grants, g)
		case g.Offline() && s.ClientSession(g.Client) != nil:
			t.RemainingOffline = append(t.RemainingOffline, g)
		}
	}
	e := newEstimate(reportEntries(t, o.Lifetimes, at), at, willBeNotified)
	e.Chain = previewChain(s, clients, e, o.Lifetimes)
	return e
}

// AssessReport returns the trust horizon of a session that has ended, as its report shows it at that time.
func AssessReport(r storage.Report, at time.Time) Estimate {
	e := newEstimate(r.Entries, at, awaitsConfirmation)
	e.Chain = reportChain(e, r.EndedAt)
	return e
}

// MergeEstimates returns the trust horizon of several sessions together.
func MergeEstimates(at time.Time, estimates ...Estimate) Estimate {
	var entries []storage.ReportEntry
	var chain *ChainHorizon
	for _, e := range estimates {
		entries = append(entries, e.Entries...)
		chain = chain.merge(e.Chain)
	}
	merged := newEstimate(entries, at, willBeNotified)
	merged.Chain = chain
	return merged
}

// willBeNotified is the argument notifying of newEstimate for a preview.
func willBeNotified(entry storage.ReportEntry) bool {
	return slices.Contains(entry.Channels, BackChannel)
}

// awaitsConfirmation is the argument notifying of newEstimate for a report. Only a pending delivery can still be
// confirmed.
func awaitsConfirmation(entry storage.ReportEntry) bool {
	return entry.Delivery == storage.DeliveryPending || entry.Renotification == RenotificationPending
}

// newEstimate counts entries. notifying reports whether an unknown entry may still be confirmed.
func newEstimate(entries []storage.ReportEntry, at time.Time, notifying func(storage.ReportEntry) bool) Estimate {
	e := Estimate{
		At:      at,
		OP:      HorizonPart{Entries: 1, Over: 1},
		Entries: make([]storage.ReportEntry, 0, len(entries)),
	}
	for _, entry := range entries {
		entry = EntryAt(entry, at)
		e.Entries = append(e.Entries, entry)
		switch {
		case entry.Kind == KindClientSession:
			e.Clients.add(entry, notifying)
		case entry.Kind == KindAccessTokens:
			e.Tokens.add(entry, notifying)
		case entry.Kind == KindUpstreamSession:
			e.Upstream.add(entry, notifying)
		case entry.Trust != storage.TrustRevoked && !slices.Contains(e.Offline, entry.ClientName):
			e.Offline = append(e.Offline, entry.ClientName)
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
		if !slices.Contains(s.UnknownNames, entry.ClientName) {
			s.UnknownNames = append(s.UnknownNames, entry.ClientName)
		}
	}
}
