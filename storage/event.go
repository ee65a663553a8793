package storage

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Event is one line of the audit trail. The trail is append-only, and each line contains the hash of the line before.
//
// The kinds are session.created, session.ended, client_session.ended, grant.ended, and those that begin with user.,
// client., key., delivery. or store.
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
	MAC     Hash              `json:"mac,omitzero"` // of Hash, by the AuditKey

	// Notice informs the user of the event. It is not part of the line: the store queues it in the transaction that adds
	// the line.
	Notice *Notice `json:"-"`
}

// Chain appends e to the trail: it sets the fields that follow from the line before, which has that sequence number
// and hash. With an empty key the line has no MAC.
func (e *Event) Chain(seq uint64, prev Hash, key AuditKey) {
	e.Seq, e.Prev = seq+1, prev
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Hash, e.MAC = e.sum(), Hash{}
	if len(key) > 0 {
		e.MAC = key.mac(auditLinePurpose, e.Hash[:])
	}
}

// Authentic reports whether the line was written with that key. Only Follows shows that the line is unchanged.
func (e Event) Authentic(key AuditKey) bool {
	want := key.mac(auditLinePurpose, e.Hash[:])
	return len(key) > 0 && hmac.Equal(e.MAC[:], want[:])
}

// Follows reports whether e is unchanged and comes right after the line with that sequence number and hash.
func (e Event) Follows(seq uint64, prev Hash) bool {
	return e.Seq == seq+1 && e.Prev == prev && e.Hash == e.sum()
}

// sum hashes the line's JSON without hash and MAC; encoding/json writes struct fields in order and map keys sorted.
func (e Event) sum() Hash {
	e.Hash, e.MAC = Hash{}, Hash{}
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
	// SetAuditKey sets the key of the lines that are added from now on. It is called before the first change.
	SetAuditKey(key AuditKey)
	// AppendEvents adds lines in order.
	AppendEvents(ctx context.Context, e ...Event) error
	// ListEvents lists lines in order, or newest first.
	ListEvents(ctx context.Context, f EventFilter, p Page) (events []Event, next string, err error)
	// RemoveEvents removes up to limit lines from the beginning of the trail, as far as they are older than before, and
	// returns how many it removed. It never removes the last line. In the same transaction it stores a removal that it
	// signs with the audit key at that time (Checkpoint.SignRemoval), in place of the one before.
	RemoveEvents(ctx context.Context, before, at time.Time, limit int) (removed int, err error)
	// EventRemoval returns the removal that RemoveEvents stored last, "" if no line was removed.
	EventRemoval(ctx context.Context) (string, error)
}
