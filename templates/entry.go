package templates

import "time"

// Trust is the trust state of an entry: whether the app may still accept the ended session.
type Trust string

// The trust states.
const (
	TrustRevoked   Trust = "revoked"   // Curfew itself refuses it from now on
	TrustConfirmed Trust = "confirmed" // the app answered that its session is over
	TrustExpiring  Trust = "expiring"  // ends by itself at ExpiresAt
	TrustNotified  Trust = "notified"  // the app was notified, but its answer proves nothing
	TrustUnknown   Trust = "unknown"   // no answer and no expiry proves that access is over
)

// Delivery is the state of the notification that an entry reports.
type Delivery string

// The delivery states.
const (
	DeliveryNone      Delivery = "none"
	DeliveryPending   Delivery = "pending"
	DeliveryDone      Delivery = "done"
	DeliveryFailed    Delivery = "failed"
	DeliveryCancelled Delivery = "cancelled" // an administrator cancelled it
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

// isPutOff reports whether the app started the sign-out and is not notified yet: it is notified after the redirect back
// to it.
func (e Entry) isPutOff() bool {
	return e.Initiator && e.Delivery == DeliveryPending && e.Attempts == 0
}

// Entry is one line of a report: an app's client session, its access tokens or its offline access, with the trust state
// and the state of the notification.
type Entry struct {
	ID             string   // identifies the entry in the page's script; opaque
	Kind           string   // KindClientSession, KindAccessTokens or KindOfflineAccess
	Application    string   // the app's name
	OpenURL        string   // the link that opens the app; empty: unknown
	Channels       []string // ChannelBack, ChannelFront or both
	Trust          Trust
	Delivery       Delivery
	NotifiedAt     time.Time // when the app confirmed or accepted the notification
	ExpiresAt      time.Time // expiring: when it ends by itself
	Attempts       int       // deliveries tried so far
	NextAttempt    time.Time // when the next delivery is tried
	Status         int       // the HTTP status of the app's last answer; 0: no answer came
	Class          string    // the reason if no answer came: refused, denied, dns, tls, timeout …
	Renotification string    // the state of the re-notification: pending, done, failed; empty: none
	Initiator      bool      // the app started the sign-out: it is asked after the browser is back there, or not at all
}
