package storage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Event is one line of the audit trail: append-only, each line chained to the one before by its hash.
type Event struct {
	Seq     uint64            `json:"seq"`
	At      time.Time         `json:"at"`
	Kind    string            `json:"kind"` // session.created, session.ended, client_session.ended, grant.ended, user.…, client.…, key.…, delivery.…
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

// Chain sets e's place in the trail after the line with that sequence number and hash.
func (e *Event) Chain(seq uint64, prev Hash) {
	e.Seq, e.Prev, e.Hash = seq+1, prev, Hash{}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Hash = e.sum()
}

// Follows reports whether e is whole and stands right after the line with that sequence number and hash.
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

// SessionHash names a session in audit, reports and logs, where its id itself does not belong.
func SessionHash(id SessionID) string {
	if id == "" {
		return ""
	}
	return HashOf("session " + string(id)).String()[:16]
}

// EventFilter narrows a listing; zero fields do not.
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
