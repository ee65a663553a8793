package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// transaction.go runs transactions: it commits, retries, and finds the outcome of a commit whose answer was lost.

// maxAttempts is how often a transaction runs at most, if the server aborts it each time because of a concurrent one.
const maxAttempts = 10

// write runs fn in a transaction and returns when it is committed. If fn returns an error, the transaction is rolled
// back. fn may run several times. ErrUnavailable: the transaction was not committed, or its outcome is unknown.
func write[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return writeWithin(ctx, s, s.options.Timeout, fn)
}

// writeWithin is write with another limit than Options.Timeout.
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

// read runs fn, which sends one query.
func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	err = s.call(ctx, s.options.Timeout, func(ctx context.Context) error {
		result, err = runRead(ctx, s, fn)
		return err
	})
	return result, err
}

// snapshot runs fn, whose queries all see the records as they are at one moment.
func snapshot[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (result T, err error) {
	err = s.callFor(ctx, bulkTimeout, func(limited context.Context) error {
		if deadline, ok := ctx.Deadline(); ok { // of a caller that can do without the result
			var cancel context.CancelFunc
			limited, cancel = context.WithDeadline(limited, deadline)
			defer cancel()
		}
		result, err = runSnapshot(limited, s, fn)
		return err
	})
	return result, err
}

// call is callFor for a call of an HTTP request: all of them together wait no longer than storage.WithWaitLimit says.
func (s *Store) call(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	reserve := min(s.options.Timeout, time.Second) // for lookUpOutcome
	mayWait, endWait := storage.BeginWait(ctx, limit+reserve)
	defer endWait()
	if mayWait <= reserve {
		return unavailable(errNotTried)
	}
	return s.callFor(ctx, mayWait-reserve, fn)
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

// pause waits for d. It returns false if ctx ends before.
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

// databaseError is an error of the database, not an error that fn returned.
type databaseError struct {
	error
	retryable bool // nothing was committed, and another attempt may succeed
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

// runSnapshot runs fn once in a read-only transaction.
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

// recoverPanic runs fn and returns a panic of fn as an error.
func recoverPanic[T any](t *tx, fn func(*tx) (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unavailable(fmt.Errorf("panic: %v", p))
		}
	}()
	return fn(t)
}

// begin queues the start of a transaction. It sets the server's timeouts if the connection does not have them yet: a
// connection has those for Options.Timeout, unless Options.Unprepared is set.
func (t *tx) begin(statement string, limit time.Duration) {
	t.batch.Queue(statement)
	if !t.store.options.Unprepared && limit == t.store.options.Timeout {
		return
	}
	for name, value := range limits(limit) {
		t.batch.Queue("SELECT set_config($1, $2, true)", name, value)
	}
}

// failure ends a transaction in which a statement failed before the commit, and returns the error. If the server has
// closed the connection, it has probably closed others too, so the pool opens new ones.
func (t *tx) failure() databaseError {
	lost := t.conn.IsClosed() && t.ctx.Err() == nil
	if lost {
		t.store.pool.Reset()
	}
	t.abandon()
	return databaseError{error: t.err, retryable: lost || isRetryable(t.err)}
}

// abandon rolls a transaction back. The pool closes a connection that is still busy.
func (t *tx) abandon() {
	const idle = 'I' // no transaction is open
	if !t.conn.IsClosed() && t.conn.PgConn().TxStatus() != idle {
		_, _ = t.conn.Exec(t.ctx, "ROLLBACK") // if it fails, the pool closes the connection
	}
}

// commit sends the queued statements and commits.
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
	if !t.conn.IsClosed() { // the server answered with an error, so it has committed nothing
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

// lookUpOutcome reports whether a transaction was committed although its answer was lost. It inserts the same row as
// the transaction. If the transaction still runs, the server waits for its end. If the transaction has not inserted
// its row yet, it can no longer commit.
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
