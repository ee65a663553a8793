package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// migrate.go brings the schema up to date. The files of the folder migrations run in the order of their names. Each
// runs in one transaction, which also stores the new version, so a crash never leaves a migration half done. Replicas
// that start together wait for each other at the row of table schema_version.

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrateTimeout is how long all migrations may take, including the wait for another replica.
const migrateTimeout = 10 * time.Minute

// Schema returns the version of the schema that this release reads and writes: the number of migrations.
func Schema() int { return len(migrationNames()) }

func migrationNames() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	return names
}

// migrate runs the migrations that are missing.
func (s *Store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	version, err := s.schemaVersion(ctx)
	switch {
	case err != nil:
		return err
	case version > Schema():
		return fmt.Errorf(
			"%w: the schema has version %d, this release knows versions up to %d", storage.ErrNewer, version, Schema(),
		)
	case version < Schema() && s.options.KeepSchema:
		return fmt.Errorf(
			"%w: the schema has version %d, this release needs version %d; run `curfew store migrate` with a role "+
				"that may change tables",
			storage.ErrOlder, version, Schema(),
		)
	}
	for version < Schema() {
		if version, err = s.migrateOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion returns the version of the schema, or 0 if the schema has no tables yet.
func (s *Store) schemaVersion(ctx context.Context) (version int, err error) {
	err = s.retry(ctx, func() error {
		var exists bool
		err := s.pool.QueryRow(
			ctx,
			`SELECT EXISTS (
				SELECT FROM information_schema.tables WHERE table_schema = $1 AND table_name = 'schema_version')`,
			s.options.Schema,
		).Scan(&exists)
		if err != nil || !exists {
			return err
		}
		return s.pool.QueryRow(ctx, s.sql(`SELECT version FROM @schema_version WHERE id = 1`)).Scan(&version)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", storeError(err))
	}
	return version, nil
}

// migrateOnce runs the next migration, unless another replica has run it, and returns the new version.
func (s *Store) migrateOnce(ctx context.Context) (version int, err error) {
	err = s.retry(ctx, func() error { return s.createVersionTable(ctx) })
	if err != nil {
		return 0, fmt.Errorf("create the schema: %w", storeError(err))
	}
	err = s.retry(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(t pgx.Tx) error {
			if _, err := t.Exec(ctx, noLimits); err != nil {
				return err
			}
			// Other replicas wait here.
			row := t.QueryRow(ctx, s.sql(`SELECT version FROM @schema_version WHERE id = 1 FOR UPDATE`))
			if err := row.Scan(&version); err != nil || version >= Schema() {
				return err
			}
			name := migrationNames()[version]
			text, err := migrationFiles.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := t.Conn().PgConn().Exec(ctx, s.sql(string(text))).ReadAll(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			version++
			s.options.Log.InfoContext(ctx, "schema migrated", slog.String("migration", name))
			_, err = t.Exec(ctx, s.sql(`UPDATE @schema_version SET version = $1 WHERE id = 1`), version)
			return err
		})
	})
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", storeError(err))
	}
	return version, nil
}

// noLimits switches the server's timeouts off, because the migration of a large table may take long.
const noLimits = `SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
	set_config('idle_in_transaction_session_timeout', '0', true)`

// createVersionTable creates the schema and the table schema_version. If two replicas do so at the same time, one of
// them may fail. The caller then calls again.
func (s *Store) createVersionTable(ctx context.Context) error {
	statements := []string{
		`CREATE TABLE IF NOT EXISTS @schema_version (id smallint PRIMARY KEY, version integer NOT NULL)`,
		`INSERT INTO @schema_version VALUES (1, 0) ON CONFLICT DO NOTHING`,
	}
	var exists bool
	err := s.pool.QueryRow(
		ctx, `SELECT EXISTS (SELECT FROM information_schema.schemata WHERE schema_name = $1)`, s.options.Schema,
	).Scan(&exists)
	if err != nil {
		return err
	}
	if !exists { // so a role that may not create schemas can use an existing one
		name := pgx.Identifier{s.options.Schema}.Sanitize()
		statements = append([]string{`CREATE SCHEMA IF NOT EXISTS ` + name}, statements...)
	}
	for _, statement := range statements {
		if _, err := s.pool.Exec(ctx, s.sql(statement)); err != nil {
			return err
		}
	}
	return nil
}

// retry runs fn again, at most maxAttempts times, if it fails because of a concurrent transaction.
func (s *Store) retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		isConflict := isRetryable(err) || serverCode(err) == codeUniqueViolation || isDuplicateObject(err)
		if !isConflict || attempt == maxAttempts {
			return err
		}
		if !pause(ctx, time.Duration(attempt)*10*time.Millisecond) {
			return err
		}
	}
}

// isDuplicateObject reports whether another replica has made the same table or schema at the same time.
func isDuplicateObject(err error) bool {
	switch serverCode(err) {
	case "42P06", "42P07", "42710": // duplicate schema, duplicate table, duplicate object
		return true
	}
	return false
}
