package storage

import (
	"context"
	"time"
)

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"   // will be tried (again)
	DeliveryDone      DeliveryState = "done"      // the client answered 200 or 204
	DeliveryFailed    DeliveryState = "failed"    // Curfew stopped trying
	DeliveryCancelled DeliveryState = "cancelled" // by an administrator
)

// Delivery is one logout token on its way to one client. It contains everything that an attempt needs, because the
// client may be removed meanwhile. It does not contain the signed token: each attempt signs a new one.
type Delivery struct {
	ID             string        `json:"id"`
	Report         string        `json:"report"`
	Client         string        `json:"client"`
	ClientSequence Sequence      `json:"-"` // Client.Sequence; a later client with the same id has another one
	URI            string        `json:"uri"`
	Host           string        `json:"host"` // host:port, or a text that ends with it; limits apply to each Host
	Subject        string        `json:"sub"`  // the user's subject identifier at that client
	SID            string        `json:"sid"`
	Alg            string        `json:"alg"`                      // id_token_signed_response_alg of the client
	Typ            string        `json:"typ,omitempty"`            // logout_token_typ
	Claims         string        `json:"claims,omitempty"`         // logout_token_claims
	Untrusted      bool          `json:"untrusted,omitempty"`      // the client's metadata say confirmations: untrusted
	Renotification bool          `json:"renotification,omitempty"` // a second logout token; see Metadata.Renotify
	Initiator      bool          `json:"initiator,omitempty"`      // to the client that started the logout
	Created        time.Time     `json:"created"`
	NextAttempt    time.Time     `json:"next_attempt"` // the delivery is due from this time on
	Pause          time.Duration `json:"-"`            // time from setting NextAttempt to NextAttempt
	GiveUpAt       time.Time     `json:"give_up_at"`
	Attempts       int           `json:"attempts"`
	Refusals       int           `json:"refusals,omitempty"` // number of refusals (400, 401, 403, 404, 3xx …) so far
	State          DeliveryState `json:"state"`
	Answer         Answer        `json:"last_answer,omitzero"`
	Lease          uint64        `json:"lease"`                 // number of claims so far: the fencing number
	LeasedUntil    time.Time     `json:"leased_until,omitzero"` // until this time an attempt is under way
}

// Answer is the client's answer to the last attempt, or the reason why no answer came.
type Answer struct {
	At     time.Time `json:"at,omitzero"`
	JTI    string    `json:"jti,omitempty"`    // jti of the logout token of that attempt
	Status int       `json:"status,omitempty"` // HTTP status; 0 if no answer came
	Class  string    `json:"class,omitempty"`  // refused, denied, dns, tls, timeout … if no answer came
	Detail string    `json:"detail,omitempty"` // one sentence, at most 300 bytes
}

// DeliveryOutcome is the outcome of one attempt.
type DeliveryOutcome struct {
	ID          string // Delivery.ID
	Lease       uint64 // Delivery.Lease of the claim under which the attempt was made
	State       DeliveryState
	NotSent     bool          // nothing was sent: the claim does not count as an attempt
	NextAttempt time.Time     // only for DeliveryPending
	Pause       time.Duration // only for DeliveryPending: see Delivery.Pause
	Refusals    int
	Answer      Answer
	UpdateEntry func(ReportEntry) ReportEntry // changes the client's entry in the report; pure
	Event       *Event                        // audit line of the outcome; nil: none. See Deliveries
	HostHealth  *HostHealth                   // stored in the same transaction; nil: unchanged
}

// HostHealth records whether the last attempt at a host was slow. It survives a restart.
type HostHealth struct {
	Host string    `json:"host"` // Delivery.Host
	Slow bool      `json:"slow,omitempty"`
	At   time.Time `json:"at"`
}

// HostHealthLifetime is how long a store keeps a HostHealth.
const HostHealthLifetime = 30 * 24 * time.Hour

// DeliveryFilter selects deliveries. A zero field selects all.
type DeliveryFilter struct {
	State  DeliveryState
	Client string
	Report string
}

// ClaimFilter reports whether a claim may take one more delivery of a host. The claim takes each delivery for which it
// returns true. The filter counts them, so it is called once for each delivery and serves one claim only.
type ClaimFilter func(host string) bool

// Deliveries is the outbox of logout tokens. Each is delivered at least once. The store completes the audit lines
// about a delivery: it sets Client, and copies Subject, Session, Cause and Reason from the report.
type Deliveries interface {
	// ClaimDeliveries leases up to max deliveries that are due at that time and not leased, oldest first. It skips
	// the deliveries that the filter refuses; nil: none. A store that repeats its transaction calls newFilter each
	// time, because a filter counts. Each claimed delivery gets a new Lease and counts an attempt.
	ClaimDeliveries(
		ctx context.Context,
		at time.Time,
		lease time.Duration,
		max int,
		newFilter func() ClaimFilter,
	) ([]Delivery, error)
	// RecordOutcomes records outcomes and updates the reports, in one transaction. An outcome whose lease is no longer
	// the current one changes nothing; stale lists the ids of those deliveries.
	RecordOutcomes(ctx context.Context, outcomes []DeliveryOutcome) (stale []string, err error)
	// RescheduleDeliveries corrects due times that were set by a clock that was ahead (Delivery.Rescheduled). Callers
	// call it at start and after the clock was set back.
	RescheduleDeliveries(ctx context.Context, at time.Time) error
	// NextDelivery returns the earliest time at which a delivery is due or a lease runs out; zero if there is none.
	NextDelivery(ctx context.Context) (time.Time, error)
	// Delivery finds a delivery.
	Delivery(ctx context.Context, id string) (Delivery, error)
	// ListHostHealth lists the HostHealth records of the last HostHealthLifetime.
	ListHostHealth(ctx context.Context) ([]HostHealth, error)
	// ListDeliveries lists deliveries, newest first.
	ListDeliveries(ctx context.Context, f DeliveryFilter, p Page) (d []Delivery, next string, err error)
	// AdvanceDelivery moves the first attempt of a pending delivery to that earlier time, and changes the report's
	// entry by update. It does not change a delivery that is due earlier or was attempted. ErrNotFound.
	AdvanceDelivery(ctx context.Context, id string, at time.Time, update func(ReportEntry) ReportEntry) error
	// RetryDelivery makes a pending or failed delivery due at that time, extends GiveUpAt to at least MinRetryPeriod
	// later, changes the report's entry by update, and adds an audit line. ErrNotFound; ErrAlreadyUsed if the delivery
	// is done or cancelled.
	RetryDelivery(ctx context.Context, id string, at time.Time, update func(ReportEntry) ReportEntry, e Event) error
	// CancelDelivery cancels a pending or failed delivery, changes the report's entry by update, and adds an audit
	// line. ErrNotFound; ErrAlreadyUsed if the delivery is done or cancelled.
	CancelDelivery(ctx context.Context, id string, update func(ReportEntry) ReportEntry, e Event) error
	// CountDeliveries counts deliveries by state and returns when the oldest pending one was created.
	CountDeliveries(ctx context.Context) (byState map[DeliveryState]int, oldest time.Time, err error)
}
