// Package transfer names the records that one backend hands to another when a store is copied.
//
// Each is a record of package storage, or one of the types here: what a backend keeps beside the record, and records
// that the contract of storage does not show. Indexes are not among them; the backend that receives the records makes
// its own.
package transfer

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Record is one of: [State], storage.User, [RemovedSubject], storage.Factors, storage.Identity, [Client],
// storage.Session (without its client sessions), [ClientSession], storage.Grant, [RefreshToken], storage.Token,
// [UsedCode], [UsedID], storage.Consent, [Cutoffs], [BulkLogout], [Delivery], storage.HostHealth, storage.Report,
// storage.Key, storage.Event, [Counter], storage.OneTimeLink, storage.InitialAccessToken, storage.Mail.
type Record any

// State is the store's place in its own order.
type State struct {
	Sequence       storage.Sequence
	ClientRevision uint64 // the highest revision of all removed clients
	Swept          storage.SweepHistory
	EventRemoval   string // Events.EventRemoval
}

// RemovedSubject is a subject that is never used again.
type RemovedSubject string

// Client is a client. LastUsed is set for a dynamic one that got tokens.
type Client struct {
	storage.Client
	LastUsed time.Time
	Activity storage.ClientActivity
}

// ClientSession is a client session with its session.
type ClientSession struct {
	storage.ClientSession
	Session storage.SessionID
}

// RefreshToken is a refresh token of a grant. Expires is set for an exchanged one of offline access.
type RefreshToken struct {
	Hash    storage.Hash
	Grant   string
	Expires time.Time
}

// UsedCode is the use of a code, by the key that all backends give it.
type UsedCode struct {
	Key     []byte
	Expires time.Time
	Grant   string
}

// UsedID is an id that was used, by the key that all backends give it.
type UsedID struct {
	Key     []byte
	Expires time.Time
}

// Cutoffs are the cutoffs of a scope.
type Cutoffs struct {
	Scope storage.CutoffScope
	List  []storage.Cutoff
}

// BulkLogout is a bulk logout. One that is under way starts over at the first of the sessions that are left.
type BulkLogout struct {
	storage.BulkLogout
	Before         storage.Sequence
	OfflineUsers   []string
	NotAdmitted    []string
	OfflineDone    int
	RemovedClients []storage.Client
}

// Delivery is a delivery that is kept until then.
type Delivery struct {
	storage.Delivery
	KeepUntil time.Time
}

// Counter is a counter of attempts.
type Counter struct {
	Slot uint16
	storage.Counter
}

// Kind names the kind of a record in the plural, as a table of counts shows it.
func Kind(r Record) string {
	switch r.(type) {
	case State:
		return "state"
	case storage.User:
		return "users"
	case RemovedSubject:
		return "removed subjects"
	case storage.Factors:
		return "factors"
	case storage.Identity:
		return "linked accounts"
	case Client:
		return "clients"
	case storage.Session:
		return "sessions"
	case ClientSession:
		return "client sessions"
	case storage.Grant:
		return "grants"
	case RefreshToken:
		return "refresh tokens"
	case storage.Token:
		return "access tokens"
	case UsedCode:
		return "used codes"
	case UsedID:
		return "used ids"
	case storage.Consent:
		return "consents"
	case Cutoffs:
		return "cutoffs"
	case BulkLogout:
		return "bulk logouts"
	case Delivery:
		return "deliveries"
	case storage.HostHealth:
		return "hosts"
	case storage.Report:
		return "reports"
	case storage.Key:
		return "keys"
	case storage.Event:
		return "audit lines"
	case Counter:
		return "attempt counters"
	case storage.OneTimeLink:
		return "links"
	case storage.InitialAccessToken:
		return "initial access tokens"
	case storage.Mail:
		return "messages"
	default:
		return "unknown records"
	}
}
