package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/storage/bolt"
)

// position.go keeps the position of the store in a file beside it. If an older copy of the store is put in place,
// sessions that have ended would be active again. The position shows that, and the server does not start.

// positionInterval is how often the server looks whether the position has changed. Transactions of the last interval
// before a crash are not in it.
const positionInterval = 500 * time.Millisecond

// positionPath returns the path of the file with the position of a store.
func positionPath(store string) string { return store + ".position" }

// ErrBehind: the store is not the one that was served last, or is older.
var ErrBehind = errors.New("what was ended since would be active again")

// checkPosition returns an error if the store is behind the position beside it.
func checkPosition(store *bolt.Store, path string) error {
	kept, err := readPosition(path)
	if err != nil {
		return err
	}
	if kept == nil {
		return nil
	}
	if err := store.CheckPosition(*kept); err != nil {
		return &Error{
			Err: fmt.Errorf("%w; %w", err, ErrBehind),
			Hint: "put the newest file in place; if there is none, `curfew restore --accept` ends everything in this one " +
				"and notifies the clients",
		}
	}
	return nil
}

// readPosition reads the position of a store; nil if none was kept. A file that cannot be read is an error, so that no
// older store is taken for the latest one.
func readPosition(store string) (*bolt.Position, error) {
	text, err := os.ReadFile(positionPath(store))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the position of the store: %w", err)
	}
	kept := &bolt.Position{}
	if err := json.Unmarshal(text, kept); err != nil {
		return nil, &Error{
			Err:  fmt.Errorf("%s is damaged", positionPath(store)),
			Hint: "if the store is the one that was served last, remove this file; else `curfew restore --accept`",
		}
	}
	return kept, nil
}

// putPosition writes the position of a store.
func putPosition(store string, p bolt.Position) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return archive.WriteFile(positionPath(store), nil, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// keepPosition writes the position of the store until ctx ends.
func (s *Server) keepPosition(ctx context.Context) {
	ticker := time.NewTicker(positionInterval)
	defer ticker.Stop()
	for {
		s.writePosition(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// writePosition writes the position of the store, if it has changed.
func (s *Server) writePosition(ctx context.Context) {
	p, err := s.boltStore.Position(ctx)
	if err == nil && p != s.savedPosition {
		if err = putPosition(StorePath(s.options.Config), p); err == nil {
			s.savedPosition = p
		}
	}
	if err != nil && ctx.Err() == nil && !s.positionFailed {
		s.log.ErrorContext(ctx, "position of the store not written: an older copy of it would not be noticed", "err", err)
	}
	s.positionFailed = err != nil
}
