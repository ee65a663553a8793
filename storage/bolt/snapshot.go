package bolt

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/curfew-id/curfew/storage"
)

// storeIDKey is the key of the store's ID in the table meta.
var storeIDKey = []byte("store_id")

// newStoreID returns an ID for a store that is new, or that was restored.
func newStoreID() []byte { return []byte(rand.Text()) }

// Snapshot is the content of a store at one moment.
type Snapshot struct {
	StoreID     string           // random; a restored store gets another one
	Transaction uint64           // the latest transaction that the snapshot contains
	Sequence    storage.Sequence // of that transaction
	LastEvent   storage.Event    // the last line of the audit trail; zero if there is none
	Size        int64            // of the file, in bytes

	tx *tx
}

// WriteTo writes the file: a store that Open can open.
func (s Snapshot) WriteTo(w io.Writer) (int64, error) { return s.tx.Tx.WriteTo(w) }

// Snapshot calls visit with the content of the store. Everything in it is on disk. Other callers read and write during
// the visit. The store cannot reuse the pages of the snapshot meanwhile, so its file may grow.
func (s *Store) Snapshot(ctx context.Context, visit func(Snapshot) error) error {
	return s.readTx(ctx, func(t *tx) error {
		if err := s.awaitDurable(ctx, t.Tx); err != nil {
			return err
		}
		snapshot := Snapshot{
			StoreID:     string(t.get(meta, storeIDKey)),
			Transaction: uint64(t.ID()),
			Sequence:    t.sequence(),
			Size:        t.Size(),
			tx:          t,
		}
		if k, v := t.bucket(events).Cursor().Last(); k != nil {
			snapshot.LastEvent, _ = decode[storage.Event](t, events, v)
		}
		if t.err != nil {
			return fmt.Errorf("read the snapshot: %w", t.err)
		}
		return visit(snapshot)
	}, func(error) bool { return false })
}
