package templates

import "time"

// Trust is what is known about a holder after the end.
type Trust string

// The trust states.
const (
	TrustRevoked   Trust = "revoked"   // Curfew enforces it
	TrustConfirmed Trust = "confirmed" // the holder says so
	TrustExpiring  Trust = "expiring"  // ends by itself at Until
	TrustNotified  Trust = "notified"  // asked or accepted, no proof
	TrustUnknown   Trust = "unknown"   // nothing is known
)

// Delivery is where telling a holder stands.
type Delivery string

// The delivery states.
const (
	DeliveryNone      Delivery = "none"
	DeliveryPending   Delivery = "pending"
	DeliveryDone      Delivery = "done"
	DeliveryFailed    Delivery = "failed"
	DeliveryCancelled Delivery = "cancelled" // by an administrator
)

// The kinds of holders.
const (
	KindClientSession = "client_session" // the session that an application made for itself; also when Kind is empty
	KindAccessTokens  = "access_tokens"  // access tokens it was given
	KindOfflineAccess = "offline_access" // its access without the person
)

// The channels by which a holder is told.
const (
	ChannelBack  = "backchannel"
	ChannelFront = "frontchannel"
)

// Entry is one place where an ended session may still be accepted, as the report knows it.
type Entry struct {
	ID             string // names the entry for the script; opaque
	Kind           string
	Application    string
	OpenURL        string   // where the app is opened; empty: unknown
	Channels       []string // ChannelBack, ChannelFront
	Trust          Trust
	Delivery       Delivery
	NotifiedAt     time.Time // confirmed or accepted then
	ExpiresAt      time.Time // bounded: the hard end
	Attempts       int
	NextAttempt    time.Time // the next attempt
	Status         int       // of the last answer; 0: none came
	Class          string    // why none came: refused, denied, dns, tls, timeout …
	Renotification string    // a second telling: pending, done, failed
}
