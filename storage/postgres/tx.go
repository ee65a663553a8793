package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage/record"
)

// tx is one transaction, or one statement that reads. It queues statements until a result is needed. flush then sends
// all queued statements in one round trip. After the first error, tx sends nothing and keeps that error in err.
type tx struct {
	store  *Store
	ctx    context.Context // of the call; a tx does not outlive it
	conn   *pgx.Conn
	batch  *pgx.Batch // the queued statements
	suffix string     // a statement that flush appends to the batch; empty: none

	state        state
	stateLoaded  bool     // the query of state is queued or was sent
	stateLocked  bool     // the row of state is locked until the commit
	stateChanged bool     // the commit writes state
	wrote        bool     // the transaction changes something and must commit
	committed    []func() // run after the commit
	err          error
}

// exec queues a statement that changes records.
func (t *tx) exec(sql string, args ...any) {
	t.wrote = true
	t.batch.Queue(t.store.sql(sql), args...)
}

// lock queues a statement that locks rows. It does not return their content.
func (t *tx) lock(sql string, args ...any) { t.batch.Queue(t.store.sql(sql), args...) }

// queueQuery queues a query. When flush sends it, scan is called for each row of the result.
func (t *tx) queueQuery(sql string, args []any, scan func(pgx.Rows) error) {
	t.batch.Queue(t.store.sql(sql), args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// flush sends the queued statements and reads their results.
func (t *tx) flush() {
	if t.err != nil || t.batch.Len() == 0 {
		return
	}
	if t.suffix != "" {
		t.batch.Queue(t.suffix)
	}
	err := t.conn.SendBatch(t.ctx, t.batch).Close()
	t.batch = &pgx.Batch{}
	t.fail(err)
}

// query sends a query, after the queued statements, and calls scan for each row of its result.
func (t *tx) query(sql string, args []any, scan func(pgx.Rows) error) {
	t.queueQuery(sql, args, scan)
	t.flush()
}

// queryRow sends a query whose result has at most one row, and scans that row into variables. found is false if there
// is no row.
func (t *tx) queryRow(sql string, args []any, into ...any) (found bool) {
	t.query(sql, args, func(rows pgx.Rows) error {
		found = true
		return rows.Scan(into...)
	})
	return found && t.err == nil
}

// fail keeps the first error.
func (t *tx) fail(err error) {
	if t.err == nil && err != nil {
		t.err = err
	}
}

// encode returns the encoded record, as the columns called record store it.
func (t *tx) encode(content any) []byte {
	value, err := record.Encode(content)
	t.fail(err)
	return value
}

// normalize encodes a record. It returns the record as a later read returns it, with times in whole milliseconds, and
// the encoded record.
func normalize[T any](t *tx, content T) (normalized T, value []byte) {
	value = t.encode(content)
	return decode[T](t, value), value
}

// decode decodes a record. It returns the zero record for an empty value.
func decode[T any](t *tx, value []byte) (content T) {
	if len(value) == 0 {
		return content
	}
	if err := record.Decode(value, &content); err != nil {
		t.fail(fmt.Errorf("a record of type %T cannot be read: %w; restore a backup", content, err))
	}
	return content
}

// decodeAll decodes a list of records.
func decodeAll[T any](t *tx, values [][]byte) []T {
	list := make([]T, len(values))
	for i, value := range values {
		list[i] = decode[T](t, value)
	}
	return list
}
