package postgres

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connect.go configures connections: TLS, timeouts, and which server may answer.

// poolConfig returns the configuration of the pool. roundTrips counts how often a connection waits for the server.
func poolConfig(o Options, roundTrips *atomic.Uint64) (*pgxpool.Config, error) {
	address, err := url.Parse(o.URL)
	if err != nil || !slices.Contains([]string{"postgres", "postgresql"}, address.Scheme) {
		// The URL may contain a password, and err repeats the URL. So this error contains neither.
		return nil, errors.New("must be postgres://USER@HOST/DATABASE")
	}
	query := address.Query()
	if !query.Has("sslmode") && !isLocal(address) {
		query.Set("sslmode", "verify-full")
	}
	if !query.Has("target_session_attrs") {
		query.Set("target_session_attrs", "read-write") // never a standby
	}
	address.RawQuery = query.Encode()
	config, err := pgxpool.ParseConfig(address.String())
	if err != nil {
		return nil, reasonWithoutURL(err)
	}
	if o.Password != "" {
		config.ConnConfig.Password = o.Password
	}
	config.ConnConfig.ConnectTimeout = o.Timeout
	config.MaxConns = int32(o.MaxConns)
	config.MaxConnIdleTime = 5 * time.Minute
	// A ping before each use would double the round trips. Without it, a call that fails on a broken connection runs
	// again on another one.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	config.ConnConfig.AfterNetConnect = func(
		_ context.Context, _ *pgconn.Config, connection net.Conn,
	) (net.Conn, error) {
		return &countingConn{Conn: connection, roundTrips: roundTrips}, nil
	}
	if o.Unprepared {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		config.ConnConfig.StatementCacheCapacity = 0
		config.ConnConfig.DescriptionCacheCapacity = 0
		return config, nil
	}
	for name, value := range limits(o.Timeout) {
		config.ConnConfig.RuntimeParams[name] = value
	}
	config.ConnConfig.RuntimeParams["application_name"] = "curfew"
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	return config, nil
}

// CheckURL returns an error if text cannot be used as Options.URL. The error does not repeat the URL, which may contain
// a password.
func CheckURL(text string) error {
	_, err := poolConfig(Options{URL: text, MaxConns: 1}, new(atomic.Uint64))
	return err
}

// limits returns the server's settings for a timeout. With them the server aborts a statement for which the replica no
// longer waits.
func limits(timeout time.Duration) map[string]string {
	milliseconds := strconv.FormatInt(timeout.Milliseconds(), 10)
	return map[string]string{
		"statement_timeout":                   milliseconds,
		"lock_timeout":                        milliseconds,
		"idle_in_transaction_session_timeout": milliseconds,
	}
}

// isLocal reports whether every host of the URL is this machine: a loopback address or a Unix socket.
func isLocal(address *url.URL) bool {
	hosts := strings.Split(address.Host, ",")
	if other := address.Query().Get("host"); other != "" {
		hosts = strings.Split(other, ",")
	}
	for _, host := range hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		isLoopback := host == "localhost" || (err == nil && ip.IsLoopback())
		isSocket := host == "" || strings.HasPrefix(host, "/")
		if !isLoopback && !isSocket {
			return false
		}
	}
	return true
}

// reasonWithoutURL returns the cause of an error of pgconn. The error itself repeats the URL.
func reasonWithoutURL(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return errors.New("it cannot be read")
}

// countingConn counts round trips: each first read after a write is one.
type countingConn struct {
	net.Conn
	roundTrips *atomic.Uint64
	sent       atomic.Bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.sent.Store(true)
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.sent.Swap(false) {
		c.roundTrips.Add(1)
	}
	return n, err
}
