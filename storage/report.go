package storage

import (
	"context"
	"time"
)

// TrustState says whether the client or its resource servers may still accept what an entry stands for. It changes only
// to a later state of the list below.
type TrustState string

// The trust states, from the least to the most certain.
const (
	TrustUnknown   TrustState = "unknown"   // nothing is known
	TrustNotified  TrustState = "notified"  // the client got the notification; nothing it said proves that it ended
	TrustExpiring  TrustState = "expiring"  // it expires by itself at ExpiresAt
	TrustConfirmed TrustState = "confirmed" // the client confirmed that it ended its session
	TrustRevoked   TrustState = "revoked"   // Curfew refuses it
)

// ReportEntry is one thing that may still be trusted after a termination: a client session, its access tokens, or its
// offline access.
type ReportEntry struct {
	Kind           string        `json:"kind"` // client_session, access_tokens, offline_access
	Client         string        `json:"client"`
	ClientName     string        `json:"name,omitempty"`     // display name of Client
	Channels       []string      `json:"channels,omitempty"` // backchannel, frontchannel
	Trust          TrustState    `json:"trust"`
	Delivery       DeliveryState `json:"delivery"`             // DeliveryNone if there is nothing to deliver
	NotifiedAt     time.Time     `json:"notified_at,omitzero"` // when the notification succeeded
	ExpiresAt      time.Time     `json:"expires_at,omitzero"`  // when it expires by itself, for TrustExpiring
	BoundBy        string        `json:"bound_by,omitempty"`   // why it expires at ExpiresAt: a logout.BoundBy… constant
	Attempts       int           `json:"attempts,omitempty"`
	NextAttempt    time.Time     `json:"next_attempt,omitzero"`
	LastAnswer     Answer        `json:"last_answer,omitzero"`
	Renotification string        `json:"renotification,omitempty"` // of the second logout token (Metadata.Renotify)
	Initiator      bool          `json:"initiator,omitempty"`      // Client is the one that started the logout
}

// DeliveryNone is the delivery state of an entry without a delivery.
const DeliveryNone DeliveryState = "none"

// Report records the effect of one termination: an entry for each thing that may still be trusted.
type Report struct {
	ID           string        `json:"id"`
	Cause        Cause         `json:"cause"`
	SessionHash  string        `json:"session"`       // SessionHash of the session
	WholeSession bool          `json:"whole_session"` // the session itself ended, not only a client session
	Subject      string        `json:"sub"`
	EndedAt      time.Time     `json:"ended_at"`
	AuthTime     time.Time     `json:"auth_time,omitzero"`
	UserAgent    string        `json:"user_agent,omitempty"`
	Address      string        `json:"address,omitempty"`
	Entries      []ReportEntry `json:"entries"`
	Audit        []uint64      `json:"audit,omitempty"` // sequence numbers of its audit lines
	DeleteAfter  time.Time     `json:"delete_after"`    // Sweep removes the report after this time
}

// Entry returns a pointer to the entry of that kind for a client, or nil.
func (r *Report) Entry(kind, client string) *ReportEntry {
	for i := range r.Entries {
		if r.Entries[i].Kind == kind && r.Entries[i].Client == client {
			return &r.Entries[i]
		}
	}
	return nil
}

// ReportFilter selects reports. A zero field selects all. All reports of one cause have the same EndedAt: a search by
// Cause and At is faster than by Cause alone.
type ReportFilter struct {
	Subject string
	Client  string
	Cause   string    // Cause.ID
	At      time.Time // Report.EndedAt
}

// Reports stores the reports of terminations.
type Reports interface {
	// Report finds a report.
	Report(ctx context.Context, id string) (Report, error)
	// ListReports lists reports, newest first.
	ListReports(ctx context.Context, f ReportFilter, p Page) (reports []Report, next string, err error)
	// UpdateReport changes a report in one transaction; change is pure.
	UpdateReport(ctx context.Context, id string, change func(*Report)) error
}
