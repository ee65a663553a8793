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
	DeliveryDone      DeliveryState = "done"      // the client answered 200 or 204
	DeliveryFailed    DeliveryState = "failed"    // given up
	DeliveryCancelled DeliveryState = "cancelled" // by an administrator
)

// Delivery is one logout token on its way to one client. It holds facts and never the signed token, since each
// attempt signs a new one, and everything that is needed to send it, because its client may have been removed by
// then.
type Delivery struct {
	ID             string        `json:"id"`
	Report         string        `json:"report"`
	Client         string        `json:"client"`
	URI            string        `json:"uri"`
	Host           string        `json:"host"` // canonical host:port, or a text that ends with it; deliveries with the same Host share slots
	Subject        string        `json:"sub"`  // as that client knows the user
	SID            string        `json:"sid"`
	Alg            string        `json:"alg"`                      // id_token_signed_response_alg of the client
	Typ            string        `json:"typ,omitempty"`            // logout_token_typ
	Claims         string        `json:"claims,omitempty"`         // logout_token_claims
	Untrusted      bool          `json:"untrusted,omitempty"`      // its client has confirmations untrusted
	Renotification bool          `json:"renotification,omitempty"` // the second delivery to a client that joined shortly before the termination
	Created        time.Time     `json:"created"`
	NextAttempt    time.Time     `json:"next_attempt"` // the delivery is due from then on
	Pause          time.Duration `json:"-"`            // how far ahead NextAttempt was when it was set
	GiveUpAt       time.Time     `json:"give_up_at"`
	Attempts       int           `json:"attempts"`
	Refusals       int           `json:"refusals,omitempty"` // refusing answers (400, 401, 403, 404, 3xx …) so far
	State          DeliveryState `json:"state"`
	Answer         Answer        `json:"last_answer,omitzero"`
	Lease          uint64        `json:"lease"`                 // counts claims: the fencing number
	LeasedUntil    time.Time     `json:"leased_until,omitzero"` // until then an attempt is under way
}

// Answer is what came back at the last attempt.
type Answer struct {
	At     time.Time `json:"at,omitzero"`
	JTI    string    `json:"jti,omitempty"`    // of the logout token of that attempt
	Status int       `json:"status,omitempty"` // HTTP; 0 if no answer came
	Class  string    `json:"class,omitempty"`  // refused, denied, dns, tls, timeout … if no answer came
	Detail string    `json:"detail,omitempty"` // a sentence, at most 300 bytes
}

// DeliveryOutcome is the outcome of one attempt.
type DeliveryOutcome struct {
	ID          string
	Lease       uint64 // of the claim under which the attempt was made
	State       DeliveryState
	NotSent     bool          // nothing was sent: the claim counts as no attempt
	NextAttempt time.Time     // for DeliveryPending
	Pause       time.Duration // for DeliveryPending: how far ahead NextAttempt is
	Refusals    int
	Answer      Answer
	UpdateEntry func(ReportEntry) ReportEntry // changes the report's entry of that client; pure
	Event       *Event                        // its audit line, if it has one; see Deliveries
	HostHealth  *HostHealth                   // stored in the same transaction; nil: unchanged
}

// HostHealth is what the last attempt at a host of deliveries has shown. It survives a restart.
type HostHealth struct {
	Host string    `json:"host"` // Delivery.Host
	Slow bool      `json:"slow,omitempty"`
	At   time.Time `json:"at"`
}

// HostHealthLifetime is how long a HostHealth is kept.
const HostHealthLifetime = 30 * 24 * time.Hour

// DeliveryFilter narrows a listing; zero fields do not.
type DeliveryFilter struct {
	State  DeliveryState
	Client string
	Report string
}

// Deliveries is the outbox. Delivery is at least once. The store completes audit lines about a delivery: Client, and
// from the report Subject, Session, Cause and Reason.
type Deliveries interface {
	// ClaimDeliveries leases up to max deliveries that are due at that time and not leased, oldest first. It passes
	// over hosts for which busy reports true; busy is pure and gets the host and how many of its deliveries this call
	// has claimed. Each delivery gets a new Lease and counts an attempt.
	ClaimDeliveries(
		ctx context.Context,
		at time.Time,
		lease time.Duration,
		max int,
		busy func(host string, claimed int) bool,
	) ([]Delivery, error)
	// RecordOutcomes records outcomes, and the changes to reports that follow, in one transaction. An outcome under a
	// lost lease changes nothing; its id is returned in stale.
	RecordOutcomes(ctx context.Context, s []DeliveryOutcome) (stale []string, err error)
	// RescheduleDeliveries corrects the due times that a clock which was ahead of at has left (Delivery.Rescheduled).
	// It is called at start and after the clock was put back.
	RescheduleDeliveries(ctx context.Context, at time.Time) error
	// NextDelivery returns when the next delivery is due or its lease runs out; zero if there is none.
	NextDelivery(ctx context.Context) (time.Time, error)
	// Delivery finds a delivery.
	Delivery(ctx context.Context, id string) (Delivery, error)
	// ListHostHealth lists what was recorded about hosts in the last HostHealthLifetime.
	ListHostHealth(ctx context.Context) ([]HostHealth, error)
	// ListDeliveries lists deliveries, newest first.
	ListDeliveries(ctx context.Context, f DeliveryFilter, p Page) (d []Delivery, next string, err error)
	// RetryDelivery makes a pending or failed delivery due at that time, with at least MinRetryPeriod left, changes
	// its report's entry by update, and adds an audit line. ErrNotFound; ErrAlreadyUsed if the delivery is done or
	// cancelled.
	RetryDelivery(ctx context.Context, id string, at time.Time, update func(ReportEntry) ReportEntry, e Event) error
	// CancelDelivery cancels a pending or failed delivery, changes its report's entry by update, and adds an audit
	// line. ErrNotFound; ErrAlreadyUsed if the delivery is done or cancelled.
	CancelDelivery(ctx context.Context, id string, update func(ReportEntry) ReportEntry, e Event) error
	// CountDeliveries counts deliveries by state and returns when the oldest pending one was created.
	CountDeliveries(ctx context.Context) (byState map[DeliveryState]int, oldest time.Time, err error)
}
