// Package postgres keeps Curfew's records in a PostgreSQL database that several replicas use at the same time.
//
//	writes ──▶ one transaction: locks and reads in one round trip, changes and COMMIT in another
//	reads  ──▶ one statement, one round trip; clients come from a cache that is at most a second old
//
// The package owns the tables of one schema and their migrations. The rules stand in package storage; here are queries
// and locks.
//
// # Order
//
// Transactions run at READ COMMITTED and lock before they read. Every user belongs to one of 64 gates, which are rows.
// A transaction that writes for a user locks the user's gate, a termination the gates of all users whom it may
// concern. So a termination reads after everything that was committed before it, and everything after it reads what it
// wrote. The sequence is a column of the row of table state, which is locked last and until the commit; sequences are
// therefore committed in their order. It also has the end of the audit trail.
//
// # Failures
//
// Every transaction writes a row with a random id. If the connection is lost while the server commits, the store looks
// for that row and knows the outcome. A deadlock or a failed serialization runs the transaction again, a few times.
package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-id/curfew/storage"
)

// The defaults of Options.
const (
	DefaultSchema   = "curfew"
	DefaultTimeout  = 900 * time.Millisecond
	DefaultMaxConns = 16
)

// bulkTimeout is how long a transaction over many records may take: a page of a bulk logout, a sweep, a count.
const bulkTimeout = 30 * time.Second

// Options says how to open a store.
type Options struct {
	// URL names the database: postgres://USER@HOST[:PORT][,HOST…]/DATABASE. Parameters are those of libpq. Without
	// sslmode it is verify-full, except where every host is this machine.
	URL string
	// Password takes the place of a password in the URL; empty: none.
	Password string
	// Schema is the schema with the tables; empty: DefaultSchema.
	Schema string
	// Unprepared: statements are not prepared, and limits are set in each transaction. A pool such as pgbouncer in
	// transaction mode needs it.
	Unprepared bool
	// KeepSchema: Open does not migrate. If the schema is older than this release, it returns ErrOlder.
	KeepSchema bool
	// MaxConns is how many connections the store opens at most; 0: DefaultMaxConns.
	MaxConns int
	// Timeout is how long a call waits for the database; 0: DefaultTimeout. A bulk logout of all users, a sweep and a
	// count have longer.
	Timeout time.Duration
	// Log says what the migrations change; nil: nothing is logged.
	Log *slog.Logger
}

// Store is a store in one schema of a PostgreSQL database.
type Store struct {
	options      Options
	pool         *pgxpool.Pool
	statements   sync.Map // text of a statement → its text with the names of the tables
	clients      clientCache
	observedTime atomic.Int64
	auditKey     atomic.Pointer[storage.AuditKey] // see SetAuditKey; nil: lines have no MAC
	roundTrips   atomic.Uint64
	commits      atomic.Uint64
	closeOnce    sync.Once
}

var _ storage.Store = (*Store)(nil)

// CheckSchema reports whether a schema may have that name.
func CheckSchema(name string) error {
	if !schemaName.MatchString(name) {
		return fmt.Errorf("must have at most 63 lower-case letters, digits and underscores, not %q", name)
	}
	return nil
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open connects to the database and brings the schema up to date, unless o.KeepSchema is set. ErrNewer, ErrOlder:
// another release wrote the schema. ErrUnavailable: the database cannot be used.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := CheckSchema(o.Schema); err != nil {
		return nil, fmt.Errorf("open store: the schema %w", err)
	}
	s := &Store{options: o}
	config, err := poolConfig(o, &s.roundTrips)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open store: %w", unavailable(err))
	}
	if err := s.migrate(ctx); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// closeTimeout is how long Close waits for a database that does not answer.
const closeTimeout = 3 * time.Second

// Close waits for running transactions and closes all connections. It does not wait long for a database that hangs.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		closed := make(chan struct{})
		go func() {
			s.pool.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(closeTimeout):
		}
	})
	return nil
}

// RoundTrips is how often the store has waited for the database since Open.
func (s *Store) RoundTrips() uint64 { return s.roundTrips.Load() }

// Commits is how many transactions this replica has committed since Open.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// sql returns a statement in which every @ is replaced by the schema's name and a dot.
func (s *Store) sql(text string) string {
	if full, ok := s.statements.Load(text); ok {
		return full.(string)
	}
	full := strings.ReplaceAll(text, "@", pgx.Identifier{s.options.Schema}.Sanitize()+".")
	s.statements.Store(text, full)
	return full
}

// observeTime keeps the time that a caller passed last; it dates the end of a bulk logout.
func (s *Store) observeTime(at time.Time) { s.observedTime.Store(at.UnixMilli()) }

// lastTime returns the time that a caller passed last.
func (s *Store) lastTime() time.Time { return time.UnixMilli(s.observedTime.Load()).UTC() }

// newTransactionID returns the id of a transaction.
func newTransactionID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return id
}
