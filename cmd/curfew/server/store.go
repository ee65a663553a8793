package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
	"github.com/curfew-id/curfew/storage/postgres"
)

// Store is a store of either kind.
type Store interface {
	storage.Store
	Commits() uint64 // transactions since the start
}

// StorePath returns the path of the store in the data folder.
func StorePath(cfg *config.Config) string { return filepath.Join(string(cfg.Data), "curfew.db") }

// OpenStore opens the PostgreSQL database of the configuration. Without one, it opens the file in the data folder.
func OpenStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (Store, error) {
	if cfg.Store.URL == "" {
		store, err := OpenFile(StorePath(cfg), log)
		if err != nil {
			return nil, err // not a Store that has a nil *bolt.Store
		}
		return store, nil
	}
	options, err := DatabaseOptions(cfg, log)
	if err != nil {
		return nil, err
	}
	store, err := postgres.Open(ctx, options)
	switch {
	case errors.Is(err, storage.ErrNewer):
		return nil, &Error{
			Err: err,
			Hint: "run that release; replicas of two releases can share a database only while " +
				"the newer one has not changed its tables",
		}
	case errors.Is(err, storage.ErrUnavailable):
		return nil, &Error{Err: err, Hint: "check store.url, the password, and that the role may create the schema"}
	case err != nil:
		return nil, err
	}
	return &replicaStore{store}, nil
}

// replicaStore is a store that several replicas use. It is not ready while the clocks of this machine and the database
// differ too much.
type replicaStore struct{ *postgres.Store }

// Ready implements storage.Store.
func (s *replicaStore) Ready(ctx context.Context) error {
	if err := s.CheckClock(ctx, wallClock()); err != nil {
		return err
	}
	return s.Store.Ready(ctx)
}

// DatabaseOptions returns the options of the database in the configuration.
func DatabaseOptions(cfg *config.Config, log *slog.Logger) (postgres.Options, error) {
	options := postgres.Options{
		URL:        string(cfg.Store.URL),
		Schema:     cfg.Store.Schema,
		Unprepared: cfg.Store.Prepared == "off",
		KeepSchema: cfg.Store.Migrate == "off",
		MaxConns:   cfg.Store.Connections,
		Log:        log,
	}
	if file := cfg.Store.PasswordFile; file != "" {
		text, err := os.ReadFile(string(file))
		if err != nil {
			return options, fmt.Errorf("read store.password_file: %w", err)
		}
		options.Password = strings.TrimSpace(string(text))
	}
	return options, nil
}

// OpenFile opens the store in one file. It returns an error if the store is behind its position.
func OpenFile(path string, log *slog.Logger) (*bolt.Store, error) {
	store, err := bolt.Open(bolt.Options{Path: path, Log: log})
	switch {
	case errors.Is(err, storage.ErrLocked):
		return nil, &Error{
			Err:  fmt.Errorf("another process serves %s", path),
			Hint: "commands such as `curfew user list` work through it; stop it before another one starts",
		}
	case errors.Is(err, storage.ErrNewer):
		return nil, &Error{
			Err:  fmt.Errorf("open %s: %w", path, err),
			Hint: "run that release, or restore a backup of this one",
		}
	case err != nil:
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := checkPosition(store, path); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}
