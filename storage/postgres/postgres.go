// Package postgres keeps Curfew's records in a PostgreSQL database that several replicas use at the same time.
//
//	writes ──▶ one transaction: locks and reads in one round trip, changes and COMMIT in another
//	reads  ──▶ one statement, one round trip; clients come from a cache that is at most a second old
//
// The package owns the tables of one schema and their migrations. It contains queries and locks. Package storage
// contains the rules.
//
// # Order
//
// Transactions run at READ COMMITTED and lock before they read. Every user belongs to one of 64 gates. A gate is a row
// that serves as a lock. A transaction that writes for a user locks the user's gate. A termination locks the gates of
// all users whose sessions it may end. A termination therefore sees all records that were committed before it, and
// later transactions see its cutoffs.
//
// Table state has one row, with the sequence and the end of the audit trail. It is locked last and until the commit, so
// sequences are committed in their order.
//
// # Failures
//
// Every transaction writes a row with a random id. If the connection is lost during the commit, the store looks for
// that row: it exists only if the transaction was committed. After a deadlock or a serialization failure the store runs
// the transaction again, at most maxAttempts times.
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
	// URL names the database: postgres://USER@HOST[:PORT][,HOST…]/DATABASE. Parameters are those of libpq. The default
	// of sslmode is verify-full, or libpq's default if every host is this machine.
	URL string
	// Password replaces a password in the URL; empty: the URL's password counts.
	Password string
	// Schema is the schema with the tables; empty: DefaultSchema.
	Schema string
	// Unprepared lets the store send statements without preparing them, and set timeouts in each transaction. A
	// connection pooler such as pgbouncer in transaction mode needs it.
	Unprepared bool
	// KeepSchema keeps Open from migrating. If the schema is older than this release, Open returns ErrOlder.
	KeepSchema bool
	// MaxConns is how many connections the store opens at most; 0: DefaultMaxConns.
	MaxConns int
	// Timeout is how long a call waits for the database; 0: DefaultTimeout. A bulk logout of all users, a sweep and a
	// count may take longer (bulkTimeout).
	Timeout time.Duration
	// Log says what the migrations change; nil: nothing is logged.
	Log *slog.Logger
}

// Store is a store in one schema of a PostgreSQL database.
type Store struct {
	options      Options
	pool         *pgxpool.Pool
	statements   sync.Map // statement with @ → statement with the schema's name, see sql
	clients      clientCache
	observedTime atomic.Int64                     // the time that a caller passed last, in Unix milliseconds
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

// Open connects to the database and brings the schema up to date, unless o.KeepSchema is set. ErrNewer or ErrOlder:
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

// RoundTrips returns how often the store has waited for the database since Open.
func (s *Store) RoundTrips() uint64 { return s.roundTrips.Load() }

// Commits returns how many transactions this replica has committed since Open.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// sql returns text with every @ replaced by the quoted name of the schema and a dot.
func (s *Store) sql(text string) string {
	if full, ok := s.statements.Load(text); ok {
		return full.(string)
	}
	full := strings.ReplaceAll(text, "@", pgx.Identifier{s.options.Schema}.Sanitize()+".")
	s.statements.Store(text, full)
	return full
}

// observeTime stores the time that a caller passed. A bulk logout that ends takes it as its end.
func (s *Store) observeTime(at time.Time) { s.observedTime.Store(at.UnixMilli()) }

// lastTime returns the time that a caller passed last.
func (s *Store) lastTime() time.Time { return time.UnixMilli(s.observedTime.Load()).UTC() }

// newTransactionID returns the id of a transaction.
func newTransactionID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return id
}
