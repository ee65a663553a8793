package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Position is how far a store is. If it is kept outside the file, it later shows that an older file was put in place.
type Position struct {
	StoreID     string `json:"store"`
	Transaction uint64 `json:"transaction"` // the latest one that is on disk
}

// Position returns how far the store is.
func (s *Store) Position(ctx context.Context) (Position, error) {
	return read(ctx, s, func(t *tx) (Position, error) { return positionOf(t.Tx), nil })
}

// FoundPosition returns how far the store was when Open found it, before Open wrote anything. isNew reports whether
// there was no store: Open has made it.
func (s *Store) FoundPosition() (p Position, isNew bool) { return s.found, s.isNew }

// CheckPosition returns an error if the store, as Open found it, is behind a position that was kept earlier: it lacks
// transactions, or it is another store. A new store is not behind, because it has no sessions.
func (s *Store) CheckPosition(kept Position) error {
	switch found := s.found; {
	case s.isNew:
		return nil
	case found.StoreID != kept.StoreID:
		return fmt.Errorf("%s is not the store that was served last", s.options.Path)
	case found.Transaction < kept.Transaction:
		return fmt.Errorf("%s is older than it was when it was served last: it ends with transaction %d, and was at %d",
			s.options.Path, found.Transaction, kept.Transaction)
	}
	return nil
}

// findPosition records how far the file is before this process writes to it.
func (s *Store) findPosition(db *bbolt.DB) error {
	return db.View(func(b *bbolt.Tx) error {
		s.found = positionOf(b)
		first, _ := b.Cursor().First()
		s.isNew = first == nil
		return nil
	})
}

func positionOf(b *bbolt.Tx) Position {
	p := Position{Transaction: uint64(b.ID())}
	if bucket := b.Bucket([]byte(tableNames[meta])); bucket != nil {
		p.StoreID = string(bucket.Get(storeIDKey))
	}
	return p
}

// Hold keeps other processes from serving a file until release is called. ErrLocked: a process serves it. Any other
// error says that the file cannot be read.
func Hold(path string) (release func() error, err error) {
	db, err := openReadOnly(path)
	if err != nil {
		return nil, err
	}
	return db.Close, nil
}
