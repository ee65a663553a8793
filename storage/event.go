package storage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Event is one line of the audit trail. The trail is append-only, and each line contains the hash of the line before.
//
// The kinds are session.created, session.ended, client_session.ended, grant.ended, and those that begin with user.,
// client., key. or delivery.
type Event struct {
	Seq     uint64            `json:"seq"`
	At      time.Time         `json:"at"`
	Kind    string            `json:"kind"`
	Reason  Reason            `json:"reason,omitempty"`
	Cause   string            `json:"cause,omitempty"` // Cause.ID
	By      string            `json:"by,omitempty"`
	Subject string            `json:"sub,omitempty"`
	Session string            `json:"session,omitempty"` // SessionHash
	Client  string            `json:"client,omitempty"`
	Address string            `json:"address,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
	Prev    Hash              `json:"prev"`
	Hash    Hash              `json:"hash"`
}

// Chain appends e to the trail: it sets the fields that follow from the line before, which has that sequence number
// and hash.
func (e *Event) Chain(seq uint64, prev Hash) {
	e.Seq, e.Prev, e.Hash = seq+1, prev, Hash{}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Hash = e.sum()
}

// Follows reports whether e is unchanged and comes right after the line with that sequence number and hash.
func (e Event) Follows(seq uint64, prev Hash) bool {
	return e.Seq == seq+1 && e.Prev == prev && e.Hash == e.sum()
}

// sum hashes the line's JSON with an empty hash; encoding/json writes struct fields in order and map keys sorted.
func (e Event) sum() Hash {
	e.Hash = Hash{}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	return sha256.Sum256(line)
}

// SessionHash returns the name of a session in the audit trail, reports and logs. They never contain the id itself.
func SessionHash(id SessionID) string {
	if id == "" {
		return ""
	}
	return HashOf("session " + string(id)).String()[:16]
}

// EventFilter selects lines. A zero field selects all.
type EventFilter struct {
	Kind    string // exact, or a prefix ending in a dot
	Subject string
	Client  string
	Session string
	Reason  Reason
	Since   time.Time
	Until   time.Time
	Newest  bool // newest first
}

// Events is the audit trail.
type Events interface {
	// AppendEvents adds lines in order.
	AppendEvents(ctx context.Context, e ...Event) error
	// ListEvents lists lines in order, or newest first.
	ListEvents(ctx context.Context, f EventFilter, p Page) (events []Event, next string, err error)
}
