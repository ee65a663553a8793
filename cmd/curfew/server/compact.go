package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/storage/bolt"
)

// CompactStore replaces the store of a stopped server by a copy without free pages, and returns both sizes in bytes. A
// store that is behind its position is refused: its copy would be served.
func CompactStore(cfg *config.Config) (before, after int64, err error) {
	path := StorePath(cfg)
	if _, err := os.Stat(path); err != nil {
		return 0, 0, err
	}
	store, err := OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, 0, err
	}
	if err := store.Close(); err != nil {
		return 0, 0, err
	}
	release, err := HoldStore(cfg)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	compacted := path + ".compacting"
	if err := os.RemoveAll(compacted); err != nil { // of a command that was interrupted
		return 0, 0, err
	}
	defer os.Remove(compacted) // fails if it was put in place
	position, err := bolt.Compact(path, compacted)
	if err != nil {
		return 0, 0, err
	}
	if before, err = sizeOf(path); err != nil {
		return 0, 0, err
	}
	if after, err = sizeOf(compacted); err != nil {
		return 0, 0, err
	}
	if err := os.Rename(compacted, path); err != nil {
		return 0, 0, err
	}
	if err := archive.SyncFolder(filepath.Dir(path)); err != nil {
		return 0, 0, err
	}
	return before, after, putPosition(path, position)
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
