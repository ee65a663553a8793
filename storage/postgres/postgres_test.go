package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/pgserver"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/storagetest"
)

// shared is the server of all tests that need nothing of their own.
var shared = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start() })

var serverUsed atomic.Bool

func TestMain(m *testing.M) {
	code := m.Run()
	if serverUsed.Load() {
		if server, err := shared(); err == nil {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// schemas are those that are free: a new schema takes longer than most tests.
var schemas struct {
	sync.Mutex
	made int
	free []string
}

// mustServer returns the URL of the shared server, and skips the test if PostgreSQL is not installed.
func mustServer(t testing.TB) string {
	t.Helper()
	serverUsed.Store(true)
	server, err := shared()
	if errors.Is(err, pgserver.ErrMissing) {
		need.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return server.URL()
}

// mustOptions returns the options of a store in an empty schema of its own.
func mustOptions(t testing.TB) Options {
	t.Helper()
	o := Options{
		URL:      mustServer(t),
		MaxConns: 8,
		Timeout:  time.Minute, // the tests run beside others
	}
	schemas.Lock()
	defer schemas.Unlock()
	if n := len(schemas.free); n > 0 {
		o.Schema, schemas.free = schemas.free[n-1], schemas.free[:n-1]
	} else {
		schemas.made++
		o.Schema = fmt.Sprintf("test_%d", schemas.made)
	}
	t.Cleanup(func() { mustEmpty(t, o) })
	return o
}

// mustEmpty removes all records of a schema and lets another test use it.
func mustEmpty(t testing.TB, o Options) {
	t.Helper()
	mustExec(t, o.URL, strings.ReplaceAll(`DO $$
		DECLARE name text;
		BEGIN
			FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'SCHEMA'
				AND tablename NOT IN ('state', 'gates', 'schema_version')
			LOOP EXECUTE 'DELETE FROM SCHEMA.' || name; END LOOP;
			IF EXISTS (SELECT FROM pg_tables WHERE schemaname = 'SCHEMA' AND tablename = 'state') THEN
				UPDATE SCHEMA.state SET sequence = 0, audit_sequence = 0, audit_hash = decode(repeat('00', 32), 'hex'),
					client_revision = 0, swept = convert_to('{}', 'UTF8'), ready = 0;
			END IF;
		END $$`, "SCHEMA", o.Schema))
	schemas.Lock()
	defer schemas.Unlock()
	schemas.free = append(schemas.free, o.Schema)
}

// mustOpen opens a store that is closed with the test.
func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	mustServer(t)
	storagetest.Run(t, func(t *testing.T) (storage.Store, func() storage.Store) {
		o := mustOptions(t)
		s := mustOpen(t, o)
		return s, func() storage.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, o)
			return s
		}
	})
}

// mustExec runs a statement on a connection of its own.
func mustExec(t testing.TB, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}
