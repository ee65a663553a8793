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
	TrustTold      TrustState = "told"      // asked or accepted, no proof
	TrustBounded   TrustState = "bounded"   // ends by itself at Until
	TrustConfirmed TrustState = "confirmed" // the holder says so
	TrustClosed    TrustState = "closed"    // Curfew enforces it
)

// Row is one holder of trust in an ended session.
type Row struct {
	Kind     string        `json:"kind"` // application, tokens, offline
	Client   string        `json:"client"`
	Name     string        `json:"name,omitempty"`
	Channels []string      `json:"channels,omitempty"` // backchannel, frontchannel
	Trust    TrustState    `json:"trust"`
	Delivery DeliveryState `json:"delivery"`        // none if there is nothing to deliver
	Evidence int           `json:"evidence"`        // grade 0 to 5
	Told     time.Time     `json:"told,omitzero"`   // confirmed or accepted then
	Until    time.Time     `json:"until,omitzero"`  // bounded: the hard end
	Basis    string        `json:"basis,omitempty"` // what Until rests on
	Attempts int           `json:"attempts,omitempty"`
	Next     time.Time     `json:"next,omitzero"` // the next attempt
	Answer   Answer        `json:"answer,omitzero"`
	Late     string        `json:"late,omitempty"` // a second telling: pending, done, failed
}

// DeliveryNone is the delivery state of a row to which nothing is delivered.
const DeliveryNone DeliveryState = "none"

// Report is what became of an ended session.
type Report struct {
	ID        string    `json:"id"`
	Cause     Cause     `json:"cause"`
	Session   string    `json:"session"` // a hash; the id itself names nothing any more
	Whole     bool      `json:"whole"`   // the session ended, not only a share of it
	Subject   string    `json:"sub"`
	At        time.Time `json:"at"` // t0
	AuthTime  time.Time `json:"auth_time,omitzero"`
	UserAgent string    `json:"user_agent,omitempty"`
	Address   string    `json:"address,omitempty"`
	Rows      []Row     `json:"rows"`
	Audit     []uint64  `json:"audit,omitempty"` // sequence numbers of its audit lines
	Keep      time.Time `json:"keep"`            // removed after this
}

// Row finds the row of that kind for a client, nil if there is none.
func (r *Report) Row(kind, client string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Kind == kind && r.Rows[i].Client == client {
			return &r.Rows[i]
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
