package templates

import "time"

// Trust is what is known about an entry after the session termination.
type Trust string

// The trust states.
const (
	TrustRevoked   Trust = "revoked"   // Curfew enforces it
	TrustConfirmed Trust = "confirmed" // the app answered that its session is over
	TrustExpiring  Trust = "expiring"  // ends by itself at ExpiresAt
	TrustNotified  Trust = "notified"  // asked or accepted, no proof
	TrustUnknown   Trust = "unknown"   // nothing is known
)

// Delivery is the state of the notification for an entry.
type Delivery string

// The delivery states.
const (
	DeliveryNone      Delivery = "none"
	DeliveryPending   Delivery = "pending"
	DeliveryDone      Delivery = "done"
	DeliveryFailed    Delivery = "failed"
	DeliveryCancelled Delivery = "cancelled" // by an administrator
)

// The kinds of entries.
const (
	KindClientSession = "client_session" // the app's own session; also when Kind is empty
	KindAccessTokens  = "access_tokens"  // access tokens that the app was given
	KindOfflineAccess = "offline_access" // the app's access while the user is signed out
)

// The channels of a notification.
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
	ExpiresAt      time.Time // expiring: when it ends by itself
	Attempts       int
	NextAttempt    time.Time // the next attempt
	Status         int       // of the last answer; 0: none came
	Class          string    // why none came: refused, denied, dns, tls, timeout …
	Renotification string    // pending, done, failed; empty: none
}
