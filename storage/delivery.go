package storage

import (
	"context"
	"time"
)

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"   // will be tried (again)
	DeliveryDone      DeliveryState = "done"      // the relying party answered 200 or 204
	DeliveryFailed    DeliveryState = "failed"    // given up
	DeliveryCancelled DeliveryState = "cancelled" // by an administrator
)

// Delivery is one logout token to bring to one relying party: facts, never the signed token, since each attempt signs afresh.
// It carries everything needed to send it, because its client may be gone by then.
type Delivery struct {
	ID             string        `json:"id"`
	Report         string        `json:"report"`
	Client         string        `json:"client"`
	URI            string        `json:"uri"`
	Host           string        `json:"host"` // canonical host:port; deliveries of one host share slots
	Subject        string        `json:"sub"`  // as that client knows the user
	SID            string        `json:"sid"`
	Alg            string        `json:"alg"`                      // id_token_signed_response_alg of the client
	Typ            string        `json:"typ,omitempty"`            // logout_token_typ
	Claims         string        `json:"claims,omitempty"`         // logout_token_claims
	Renotification bool          `json:"renotification,omitempty"` // the second telling of a client that joined just before the end
	Created        time.Time     `json:"created"`
	NextAttempt    time.Time     `json:"next_attempt"` // not before
	GiveUpAt       time.Time     `json:"give_up_at"`
	Attempts       int           `json:"attempts"`
	Refusals       int           `json:"refusals,omitempty"` // answers that say no (400, 401, 403, 404, 3xx …) so far
	State          DeliveryState `json:"state"`
	Answer         Answer        `json:"last_answer,omitzero"`
	Lease          uint64        `json:"lease"`                 // counts claims: the fencing number
	LeasedUntil    time.Time     `json:"leased_until,omitzero"` // until then somebody is at it
}

// Answer is what came back at the last attempt.
type Answer struct {
	At     time.Time `json:"at,omitzero"`
	JTI    string    `json:"jti,omitempty"`    // of the logout token of that attempt
	Status int       `json:"status,omitempty"` // HTTP; 0 if no answer came
	Class  string    `json:"class,omitempty"`  // refused, denied, dns, tls, timeout … if no answer came
	Detail string    `json:"detail,omitempty"` // for people, at most 300 bytes
}

// DeliveryOutcome is the outcome of one attempt.
type DeliveryOutcome struct {
	ID          string
	Lease       uint64 // of the claim under which the attempt was made
	State       DeliveryState
	NotSent     bool      // nothing was sent: the claim counts as no attempt
	NextAttempt time.Time // for DeliveryPending
	Refusals    int
	Answer      Answer
	UpdateEntry func(ReportEntry) ReportEntry // what it means for the report's row of that client; pure
	Event       *Event                        // its audit line, if it has one; see Deliveries
}

// DeliveryFilter narrows a listing; zero fields do not.
type DeliveryFilter struct {
	State  DeliveryState
	Client string
	Report string
}

// Deliveries is the outbox. Delivery is at least once. Of an audit line about a delivery the store sets whom it concerns: Client, and by the
// report Subject, Session, Cause and Reason.
type Deliveries interface {
	// ClaimDeliveries leases up to max deliveries that are due at that moment and not leased, oldest first, passing over hosts for which
	// busy says so (busy is pure and is told the host and how many of it this call has taken). Each gets a new Lease and counts an attempt.
	ClaimDeliveries(ctx context.Context, at time.Time, lease time.Duration, max int, busy func(host string, taken int) bool) ([]Delivery, error)
	// RecordOutcomes records outcomes and what they mean for the reports, in one transaction. An outcome under a lost lease changes nothing
	// and is returned in stale.
	RecordOutcomes(ctx context.Context, s []DeliveryOutcome) (stale []string, err error)
	// NextDelivery is when the next delivery is due or its lease runs out; zero if there is none.
	NextDelivery(ctx context.Context) (time.Time, error)
	// Delivery finds one.
	Delivery(ctx context.Context, id string) (Delivery, error)
	// ListDeliveries lists deliveries, newest first.
	ListDeliveries(ctx context.Context, f DeliveryFilter, p Page) (d []Delivery, next string, err error)
	// RetryDelivery makes a pending or failed delivery due at once, with at least a day left. ErrNotFound; ErrSpent if it is done.
	RetryDelivery(ctx context.Context, id string, at time.Time, row func(ReportEntry) ReportEntry, e Event) error
	// CancelDelivery gives a delivery up that is pending, or takes note of one that failed. ErrNotFound; ErrSpent if it is done or cancelled.
	CancelDelivery(ctx context.Context, id string, row func(ReportEntry) ReportEntry, e Event) error
	// CountDeliveries counts deliveries by state, and says since when the oldest pending one waits.
	CountDeliveries(ctx context.Context) (byState map[DeliveryState]int, oldest time.Time, err error)
}
