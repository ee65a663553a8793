package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AuditKey authenticates the audit trail. It comes from the key file, which is not in the store. An attacker who can
// only write to the store cannot forge a line. An empty key authenticates nothing.
type AuditKey []byte

// The purposes of a MAC. A MAC for one purpose is invalid for the other.
const (
	auditLinePurpose       = "curfew audit line\x00"
	auditCheckpointPurpose = "curfew audit checkpoint\x00"
	auditRemovalPurpose    = "curfew audit removal\x00"
)

func (k AuditKey) mac(purpose string, data []byte) Hash {
	m := hmac.New(sha256.New, k)
	m.Write([]byte(purpose))
	m.Write(data)
	return Hash(m.Sum(nil))
}

// Checkpoint identifies the last line of the audit trail at some time. If it is kept outside the store, it later shows
// whether lines at the end of the trail were removed.
type Checkpoint struct {
	Seq  uint64    // of the last line
	Hash Hash      // of the last line
	At   time.Time // in whole seconds
}

// Sign returns the checkpoint as text with a MAC: SEQ.TIME.HASH.MAC.
func (c Checkpoint) Sign(key AuditKey) string { return c.sign(auditCheckpointPurpose, key) }

// SignRemoval returns the text of a removal: it says that the lines up to this one, and this one, were removed at c.At.
// It has the form of a checkpoint and a MAC of its own, so that a published checkpoint cannot pass for a removal.
func (c Checkpoint) SignRemoval(key AuditKey) string { return c.sign(auditRemovalPurpose, key) }

func (c Checkpoint) sign(purpose string, key AuditKey) string {
	text := fmt.Sprintf("%d.%d.%s", c.Seq, c.At.Unix(), c.Hash)
	return text + "." + key.mac(purpose, []byte(text)).String()
}

// ErrCheckpoint: the text is not a checkpoint, or another key signed it.
var ErrCheckpoint = errors.New("the checkpoint is not signed with this key file")

// ParseCheckpoint reads the text of a checkpoint and verifies its MAC. It also reads a removal, because a removal
// proves the same: its line existed. ErrCheckpoint.
func ParseCheckpoint(text string, key AuditKey) (Checkpoint, error) {
	if c, err := ParseRemoval(text, key); err == nil {
		return c, nil
	}
	return parseCheckpoint(text, auditCheckpointPurpose, key)
}

// ParseRemoval reads the text of a removal and verifies its MAC. ErrCheckpoint.
func ParseRemoval(text string, key AuditKey) (Checkpoint, error) {
	return parseCheckpoint(text, auditRemovalPurpose, key)
}

func parseCheckpoint(text, purpose string, key AuditKey) (Checkpoint, error) {
	const partCount = 4
	parts := strings.Split(text, ".")
	if len(parts) != partCount {
		return Checkpoint{}, fmt.Errorf("%q has not the form SEQ.TIME.HASH.MAC: %w", text, ErrCheckpoint)
	}
	seq, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the line of a checkpoint: %w", ErrCheckpoint)
	}
	at, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the time of a checkpoint: %w", ErrCheckpoint)
	}
	c := Checkpoint{Seq: seq, At: time.Unix(at, 0).UTC()}
	if err := c.Hash.UnmarshalText([]byte(parts[2])); err != nil {
		return Checkpoint{}, fmt.Errorf("read the hash of a checkpoint: %w", ErrCheckpoint)
	}
	if len(key) == 0 || !hmac.Equal([]byte(c.sign(purpose, key)), []byte(text)) {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}
