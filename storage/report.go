package storage

import (
	"context"
	"time"
)

// TrustState is what is known about an entry after the termination. It moves only from unknown towards revoked.
type TrustState string

// The trust states, from none known to certain.
const (
	TrustUnknown   TrustState = "unknown"   // nothing is known
	TrustNotified  TrustState = "notified"  // notified or accepted, without proof
	TrustExpiring  TrustState = "expiring"  // expires by itself at ExpiresAt
	TrustConfirmed TrustState = "confirmed" // the client says so
	TrustRevoked   TrustState = "revoked"   // Curfew enforces it
)

// ReportEntry is one thing that may still be trusted after a termination: a client session, its access tokens, or its
// offline access.
type ReportEntry struct {
	Kind           string        `json:"kind"` // client_session, access_tokens, offline_access
	Client         string        `json:"client"`
	Name           string        `json:"name,omitempty"`
	Channels       []string      `json:"channels,omitempty"` // backchannel, frontchannel
	Trust          TrustState    `json:"trust"`
	Delivery       DeliveryState `json:"delivery"`             // none if there is nothing to deliver
	NotifiedAt     time.Time     `json:"notified_at,omitzero"` // when the client confirmed or accepted it
	ExpiresAt      time.Time     `json:"expires_at,omitzero"`  // when it expires by itself, for TrustExpiring
	BoundBy        string        `json:"bound_by,omitempty"`   // what ExpiresAt rests on
	Attempts       int           `json:"attempts,omitempty"`
	NextAttempt    time.Time     `json:"next_attempt,omitzero"` // the next attempt
	LastAnswer     Answer        `json:"last_answer,omitzero"`
	Renotification string        `json:"renotification,omitempty"` // pending, done, failed
}

// DeliveryNone is the delivery state of an entry without a delivery.
const DeliveryNone DeliveryState = "none"

// Report is what became of a termination.
type Report struct {
	ID           string        `json:"id"`
	Cause        Cause         `json:"cause"`
	Session      string        `json:"session"`       // SessionHash
	WholeSession bool          `json:"whole_session"` // the session itself ended, not only a client session
	Subject      string        `json:"sub"`
	EndedAt      time.Time     `json:"ended_at"` // t0
	AuthTime     time.Time     `json:"auth_time,omitzero"`
	UserAgent    string        `json:"user_agent,omitempty"`
	Address      string        `json:"address,omitempty"`
	Entries      []ReportEntry `json:"entries"`
	Audit        []uint64      `json:"audit,omitempty"` // sequence numbers of its audit lines
	DeleteAfter  time.Time     `json:"delete_after"`    // removed after this
}

// Entry returns the entry of that kind for a client, nil if there is none.
func (r *Report) Entry(kind, client string) *ReportEntry {
	for i := range r.Entries {
		if r.Entries[i].Kind == kind && r.Entries[i].Client == client {
			return &r.Entries[i]
		}
	}
	return nil
}

// ReportFilter narrows a listing; zero fields do not. All reports of one cause have the same EndedAt; naming both is
// faster than Cause alone.
type ReportFilter struct {
	Subject string
	Client  string
	Cause   string // Cause.ID
	At      time.Time
}

// Reports stores what became of terminations.
type Reports interface {
	// Report finds a report.
	Report(ctx context.Context, id string) (Report, error)
	// ListReports lists reports, newest first.
	ListReports(ctx context.Context, f ReportFilter, p Page) (reports []Report, next string, err error)
	// UpdateReport changes a report in a transaction; change is pure.
	UpdateReport(ctx context.Context, id string, change func(*Report)) error
}
