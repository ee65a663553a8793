package storage

import (
	"context"
	"time"
)

// TrustState is what is known about a holder after the end. A row moves only towards closed.
type TrustState string

// The trust states, from none known to certain.
const (
	TrustUnknown   TrustState = "unknown"   // nothing is known
	TrustNotified  TrustState = "notified"  // asked or accepted, no proof
	TrustExpiring  TrustState = "expiring"  // ends by itself at Until
	TrustConfirmed TrustState = "confirmed" // the holder says so
	TrustRevoked   TrustState = "revoked"   // Curfew enforces it
)

// ReportEntry is one holder of trust in an ended session.
type ReportEntry struct {
	Kind           string        `json:"kind"` // application, tokens, offline
	Client         string        `json:"client"`
	Name           string        `json:"name,omitempty"`
	Channels       []string      `json:"channels,omitempty"` // backchannel, frontchannel
	Trust          TrustState    `json:"trust"`
	Delivery       DeliveryState `json:"delivery"`             // none if there is nothing to deliver
	NotifiedAt     time.Time     `json:"notified_at,omitzero"` // confirmed or accepted then
	ExpiresAt      time.Time     `json:"expires_at,omitzero"`  // bounded: the hard end
	BoundBy        string        `json:"bound_by,omitempty"`   // what Until rests on
	Attempts       int           `json:"attempts,omitempty"`
	NextAttempt    time.Time     `json:"next_attempt,omitzero"` // the next attempt
	LastAnswer     Answer        `json:"last_answer,omitzero"`
	Renotification string        `json:"renotification,omitempty"` // a second telling: pending, done, failed
}

// DeliveryNone is the delivery state of a row to which nothing is delivered.
const DeliveryNone DeliveryState = "none"

// Report is what became of an ended session.
type Report struct {
	ID           string        `json:"id"`
	Cause        Cause         `json:"cause"`
	Session      string        `json:"session"`       // a hash; the id itself names nothing any more
	WholeSession bool          `json:"whole_session"` // the session ended, not only a share of it
	Subject      string        `json:"sub"`
	EndedAt      time.Time     `json:"ended_at"` // t0
	AuthTime     time.Time     `json:"auth_time,omitzero"`
	UserAgent    string        `json:"user_agent,omitempty"`
	Address      string        `json:"address,omitempty"`
	Entries      []ReportEntry `json:"entries"`
	Audit        []uint64      `json:"audit,omitempty"` // sequence numbers of its audit lines
	DeleteAfter  time.Time     `json:"delete_after"`    // removed after this
}

// Entry finds the row of that kind for a client, nil if there is none.
func (r *Report) Entry(kind, client string) *ReportEntry {
	for i := range r.Entries {
		if r.Entries[i].Kind == kind && r.Entries[i].Client == client {
			return &r.Entries[i]
		}
	}
	return nil
}

// ReportFilter narrows a listing; zero fields do not. All reports of one cause have the same At, so that naming both spares reading others.
type ReportFilter struct {
	Subject string
	Client  string
	Cause   string // Cause.ID
	At      time.Time
}

// Reports keeps what became of ended sessions.
type Reports interface {
	// Report finds one.
	Report(ctx context.Context, id string) (Report, error)
	// ListReports lists reports, newest first.
	ListReports(ctx context.Context, f ReportFilter, p Page) (reports []Report, next string, err error)
	// UpdateReport changes one in a transaction; change is pure.
	UpdateReport(ctx context.Context, id string, change func(*Report)) error
}
