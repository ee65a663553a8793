package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// Restored says what a restore has ended, and where the store that was replaced is.
type Restored struct {
	Ended    storage.TerminationCount `json:"ended"`
	Cause    string                   `json:"cause"`
	Replaced string                   `json:"replaced,omitempty"` // the file that was served before
}

// HoldStore keeps a server from starting on the store of the configuration until release is called. It returns an error
// if one runs. A store that is missing or damaged is no error: it can be replaced.
func HoldStore(cfg *config.Config) (release func() error, err error) {
	if err := ensureDataFolder(string(cfg.Data)); err != nil {
		return nil, err
	}
	release, err = bolt.Hold(StorePath(cfg))
	switch {
	case errors.Is(err, storage.ErrLocked):
		return nil, &Error{Err: fmt.Errorf("a server runs on %s", StorePath(cfg)), Hint: "stop it first"}
	case err != nil:
		return func() error { return nil }, nil
	}
	return release, nil
}

// ReplaceStore puts the unpacked store of a backup in place. It first begins an epoch in it, so that the store is never
// served with what the backup has. The store that was served before stays beside it under another name.
func ReplaceStore(
	ctx context.Context, cfg *config.Config, unpacked, by string, detail map[string]string,
) (Restored, error) {
	store, err := bolt.Open(bolt.Options{Path: unpacked})
	if err != nil {
		return Restored{}, err
	}
	result, position, err := beginEpoch(ctx, cfg, store, by, detail)
	if err = errors.Join(err, store.Close()); err != nil {
		return Restored{}, err
	}
	path := StorePath(cfg)
	replaced := path + ".replaced-" + wallClock().UTC().Format("20060102T150405.000Z")
	switch err := os.Link(path, replaced); { // so that the name of the store is never missing
	case err == nil:
		result.Replaced = replaced
	case !errors.Is(err, fs.ErrNotExist):
		return Restored{}, fmt.Errorf("keep the store that is replaced: %w", err)
	}
	if err := os.Rename(unpacked, path); err != nil {
		return Restored{}, err
	}
	if err := archive.SyncFolder(filepath.Dir(path)); err != nil {
		return Restored{}, err
	}
	return result, putPosition(path, position)
}

// AcceptStore begins an epoch in the store of the configuration, which is behind its position, so that it can be
// served.
func AcceptStore(ctx context.Context, cfg *config.Config, by string) (result Restored, err error) {
	path := StorePath(cfg)
	if _, err := os.Stat(path); err != nil {
		return Restored{}, err
	}
	kept, err := readPosition(path)
	damaged := err != nil
	if !damaged && kept == nil {
		return Restored{}, errors.New("no position was kept beside the store, so nothing has to be accepted")
	}
	store, err := bolt.Open(bolt.Options{Path: path})
	if errors.Is(err, storage.ErrLocked) {
		return Restored{}, &Error{Err: fmt.Errorf("a server runs on %s", path), Hint: "stop it first"}
	}
	if err != nil {
		return Restored{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if !damaged && store.CheckPosition(*kept) == nil {
		return Restored{}, errors.New("the store is not behind, so nothing has to be accepted")
	}
	result, position, err := beginEpoch(ctx, cfg, store, by, map[string]string{"accepted": "true"})
	if err != nil {
		return Restored{}, err
	}
	return result, putPosition(path, position)
}

// beginEpoch begins an epoch in a store that no server serves. The pages of the bulk logout that it does not finish are
// done by the next server that starts.
func beginEpoch(
	ctx context.Context, cfg *config.Config, store *bolt.Store, by string, detail map[string]string,
) (Restored, bolt.Position, error) {
	s := &Server{options: Options{Config: cfg}, log: slog.New(slog.DiscardHandler), store: store}
	defer s.closeEgress()
	var none bolt.Position
	if err := s.openProvider(ctx, cfg, logout.Observer{}); err != nil {
		return Restored{}, none, err
	}
	everything := storage.Selector{AllUsers: true, IncludeOffline: true}
	count, err := store.CountTerminations(ctx, storage.Selection{Selector: everything, At: wallClock()})
	if err != nil {
		return Restored{}, none, err
	}
	result, err := s.provider.BeginEpoch(ctx, by, detail)
	if err != nil {
		return Restored{}, none, fmt.Errorf("end everything in the store: %w", err)
	}
	position, err := store.Position(ctx)
	return Restored{Ended: count, Cause: result.CauseID}, position, err
}
