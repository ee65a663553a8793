package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/record"
)

// tx is one transaction, or one statement that reads. Statements wait until a result is needed, and all that wait go to
// the server together: they cost one round trip. It keeps the first error, after which it sends nothing.
type tx struct {
	store  *Store
	ctx    context.Context // of the call; a tx does not outlive it
	conn   *pgx.Conn
	batch  *pgx.Batch
	suffix string // ends what flush sends; empty: nothing

	state        state
	stateLoaded  bool
	stateLocked  bool
	stateChanged bool
	wrote        bool
	committed    []func() // run after the commit
	err          error
}

// exec adds a statement that changes something.
func (t *tx) exec(sql string, args ...any) {
	t.wrote = true
	t.batch.Queue(t.store.sql(sql), args...)
}

// lock adds a statement that locks rows; their content is not read.
func (t *tx) lock(sql string, args ...any) { t.batch.Queue(t.store.sql(sql), args...) }

// queueQuery adds a statement and calls scan for each row of its result, when flush sends it.
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

// flush sends the statements that wait and reads their results.
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

// query sends the statements that wait, and one more, and calls scan for each row of the result.
func (t *tx) query(sql string, args []any, scan func(pgx.Rows) error) {
	t.queueQuery(sql, args, scan)
	t.flush()
}

// queryRow is query for at most one row.
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

// encode returns the value of a record.
func (t *tx) encode(content any) []byte {
	value, err := record.Encode(content)
	t.fail(err)
	return value
}

// normalize returns the value of a record, and the record as it will be read: with times in whole milliseconds.
func normalize[T any](t *tx, content T) (kept T, value []byte) {
	value = t.encode(content)
	return decode[T](t, value), value
}

// decode reads a record from its value. The zero record stands for an empty value.
func decode[T any](t *tx, value []byte) (content T) {
	if len(value) == 0 {
		return content
	}
	if err := record.Decode(value, &content); err != nil {
		t.fail(fmt.Errorf("a record of type %T cannot be read: %w; restore a backup", content, err))
	}
	return content
}

// decodeAll reads a list of records.
func decodeAll[T any](t *tx, values [][]byte) []T {
	list := make([]T, len(values))
	for i, value := range values {
		list[i] = decode[T](t, value)
	}
	return list
}

// maxAttempts is how often a transaction runs that the server gives up for another one.
const maxAttempts = 10

// write runs fn in a transaction and returns when it is committed. If fn returns an error, nothing that it wrote is
// kept. It may run several times. ErrUnavailable: the outcome is unknown.
func write[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return writeWithin(ctx, s, s.options.Timeout, fn)
}

// writeWithin is write with a limit of its own.
func writeWithin[T any](
	ctx context.Context, s *Store, limit time.Duration, fn func(*tx) (T, error),
) (result T, err error) {
	err = s.call(ctx, limit, func(ctx context.Context) error {
		result, err = runWrite(ctx, s, limit, fn)
		return err
	})
	return result, err
}

// update is write for functions without a result.
func (s *Store) update(ctx context.Context, fn func(*tx) error) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, fn(t) })
	return err
}

// read runs fn, which sends one statement.
func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	err = s.call(ctx, s.options.Timeout, func(ctx context.Context) error {
		result, err = runRead(ctx, s, fn)
		return err
	})
	return result, err
}

// snapshot runs fn, whose statements all see the records of one moment.
func snapshot[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	err = s.callFor(ctx, bulkTimeout, func(ctx context.Context) error {
		result, err = runSnapshot(ctx, s, fn)
		return err
	})
	return result, err
}

// call is callFor for a call of an HTTP request: all of them together wait no longer than storage.WithWaitLimit says.
func (s *Store) call(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	mayWait, endWait := storage.BeginWait(ctx, limit)
	defer endWait()
	if mayWait == 0 {
		return unavailable(errNotTried)
	}
	return s.callFor(ctx, mayWait, fn)
}

var errNotTried = fmt.Errorf(
	"the database used up the %v that a request waits; this statement was not tried",
	storage.RequestWait,
)

// callFor runs fn until it succeeds, until its error is final, or until the limit is over. An ended ctx does not stop
// what has begun: that would cost a connection and leave the outcome open.
func (s *Store) callFor(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := fn(ctx)
		failure, failed := errors.AsType[databaseError](err)
		if !failed {
			return err
		}
		if !failure.retryable || attempt == maxAttempts || !pause(ctx, time.Duration(attempt)*time.Millisecond) {
			return storeError(failure.error)
		}
	}
}

// pause waits, and reports false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// databaseError is an error of the database, not one that a function returned.
type databaseError struct {
	error
	retryable bool // nothing was committed, and it may succeed when it runs again
}

func (e databaseError) Unwrap() error { return e.error }

// runRead runs fn once on a connection.
func runRead[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return result, databaseError{error: err}
	}
	defer conn.Release()
	t := &tx{store: s, ctx: ctx, conn: conn.Conn(), batch: &pgx.Batch{}}
	if s.options.Unprepared {
		t.begin("BEGIN READ ONLY", s.options.Timeout)
		t.suffix = "COMMIT"
	}
	result, err = fn(t)
	if t.err != nil {
		return result, t.failure()
	}
	return result, err
}

// runSnapshot runs fn once in a transaction that reads.
func runSnapshot[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return result, databaseError{error: err}
	}
	defer conn.Release()
	t := &tx{store: s, ctx: ctx, conn: conn.Conn(), batch: &pgx.Batch{}}
	t.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", bulkTimeout)
	result, err = fn(t)
	if t.err != nil {
		return result, t.failure()
	}
	t.abandon()
	return result, err
}

// runWrite runs fn once in a transaction, and commits it.
func runWrite[T any](
	ctx context.Context, s *Store, limit time.Duration, fn func(*tx) (T, error),
) (result T, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return result, databaseError{error: err}
	}
	defer conn.Release()
	t := &tx{store: s, ctx: ctx, conn: conn.Conn(), batch: &pgx.Batch{}}
	t.begin("BEGIN", limit)
	result, err = recoverPanic(t, fn)
	switch {
	case t.err != nil:
		return result, t.failure()
	case err != nil || !t.wrote:
		t.abandon()
		return result, err
	}
	if err := t.commit(); err != nil {
		return result, err
	}
	s.commits.Add(1)
	for _, f := range t.committed {
		f()
	}
	return result, nil
}

// recoverPanic runs fn, and turns a panic into an error.
func recoverPanic[T any](t *tx, fn func(*tx) (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unavailable(fmt.Errorf("panic: %v", p))
		}
	}()
	return fn(t)
}

// begin begins a transaction. The connection has the store's limits already, unless statements are not prepared.
func (t *tx) begin(statement string, limit time.Duration) {
	t.batch.Queue(statement)
	if !t.store.options.Unprepared && limit == t.store.options.Timeout {
		return
	}
	for name, value := range limits(limit) {
		t.batch.Queue("SELECT set_config($1, $2, true)", name, value)
	}
}

// failure ends a transaction of which a statement failed before the commit, and returns the error. If the server has
// closed the connection, it has closed others too, and the pool opens new ones.
func (t *tx) failure() databaseError {
	lost := t.conn.IsClosed() && t.ctx.Err() == nil
	if lost {
		t.store.pool.Reset()
	}
	t.abandon()
	return databaseError{error: t.err, retryable: lost || isRetryable(t.err)}
}

// abandon ends a transaction without effect. A connection that is still busy is closed when it is released.
func (t *tx) abandon() {
	if !t.conn.IsClosed() && t.conn.PgConn().TxStatus() != 'I' {
		_, _ = t.conn.Exec(t.ctx, "ROLLBACK") // if it fails, the pool closes the connection
	}
}

// commit sends what waits and commits.
func (t *tx) commit() error {
	if t.stateChanged {
		t.putState()
	}
	id := newTransactionID()
	t.exec(`INSERT INTO @transactions (id) VALUES ($1)`, id)
	t.suffix = "COMMIT"
	t.flush()
	if t.err == nil {
		return nil
	}
	if !t.conn.IsClosed() { // the server answered: it has committed nothing
		t.abandon()
		return databaseError{error: t.err, retryable: isRetryable(t.err)}
	}
	committed, err := t.store.lookUpOutcome(id)
	switch {
	case err != nil:
		return databaseError{error: fmt.Errorf(
			"the connection was lost at the commit of transaction %s, and its outcome is unknown: %w",
			hex.EncodeToString(id), errors.Join(t.err, err),
		)}
	case !committed:
		return databaseError{error: t.err, retryable: true}
	}
	return nil
}

// lookUpOutcome reports whether a transaction has committed whose answer was lost. It inserts the row that the
// transaction inserts: the server waits for a transaction that still runs, and one that has not inserted its row yet
// can no longer commit.
func (s *Store) lookUpOutcome(id []byte) (committed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
	defer cancel()
	for {
		tag, err := s.pool.Exec(ctx, s.sql(`INSERT INTO @transactions (id) VALUES ($1) ON CONFLICT DO NOTHING`), id)
		if err == nil {
			return tag.RowsAffected() == 0, nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return false, err
		}
	}
}

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

// changeState locks the row of state, if it is not locked yet, and lets the commit write t.state.
func (t *tx) changeState() *state {
	if !t.stateLocked {
		t.lockState()
		t.flush()
	}
	t.stateChanged, t.wrote = true, true
	return &t.state
}

func (t *tx) putState() {
	t.exec(
		`UPDATE @state SET sequence = $1, audit_sequence = $2, audit_hash = $3, client_revision = $4, swept = $5`,
		int64(t.state.sequence), int64(t.state.auditSequence), t.state.auditHash[:],
		int64(t.state.clientRevision), t.encode(t.state.swept),
	)
}

// sequence returns the sequence of records that this transaction creates now. lockState or readState has read it.
func (t *tx) sequence() storage.Sequence { return t.state.sequence }

// nextSequence counts the sequence up: what was committed until now comes before it.
func (t *tx) nextSequence() storage.Sequence {
	next := t.changeState()
	next.sequence++
	return next.sequence
}
