package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// state is the row of table state.
type state struct {
	sequence       storage.Sequence
	auditSequence  uint64
	auditHash      storage.Hash
	clientRevision uint64
	swept          storage.SweepHistory
}

const stateColumns = `SELECT sequence, audit_sequence, audit_hash, client_revision, swept FROM @state`

// lockState locks and reads the row of state. It is the last lock of a transaction.
func (t *tx) lockState() {
	if !t.stateLocked {
		t.queueStateQuery(stateColumns + ` FOR UPDATE`)
		t.stateLocked = true
	}
}

// readState reads the row of state without a lock.
func (t *tx) readState() {
	if !t.stateLoaded {
		t.queueStateQuery(stateColumns)
	}
}

func (t *tx) queueStateQuery(sql string) {
	t.stateLoaded = true
	t.queueQuery(sql, nil, func(rows pgx.Rows) error {
		var hash, swept []byte
		next := &t.state
		err := rows.Scan(&next.sequence, &next.auditSequence, &hash, &next.clientRevision, &swept)
		copy(next.auditHash[:], hash)
		next.swept = decode[storage.SweepHistory](t, swept)
		return err
	})
}

// changeState returns the row of state for a change, which the commit writes. It locks the row, if it is not locked
// yet.
func (t *tx) changeState() *state {
	if !t.stateLocked {
		t.lockState()
		t.flush()
	}
	t.stateChanged = true
	t.wrote = true
	return &t.state
}

func (t *tx) putState() {
	t.exec(
		`UPDATE @state SET sequence = $1, audit_sequence = $2, audit_hash = $3, client_revision = $4, swept = $5`,
		int64(t.state.sequence), int64(t.state.auditSequence), t.state.auditHash[:],
		int64(t.state.clientRevision), t.encode(t.state.swept),
	)
}

// sequence returns the sequence of records that this transaction creates now. The caller has called lockState or
// readState, and flush.
func (t *tx) sequence() storage.Sequence { return t.state.sequence }

// nextSequence increases the sequence and returns it. All records that were committed before have a lower sequence.
func (t *tx) nextSequence() storage.Sequence {
	next := t.changeState()
	next.sequence++
	return next.sequence
}
