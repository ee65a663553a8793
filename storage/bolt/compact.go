package bolt

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// compactTxSize is how many bytes of records Compact writes in one transaction.
const compactTxSize = 16 << 20

// Compact copies the records of a file that no process serves to a new file without free pages. The new file is
// another store: it counts its transactions anew. ErrLocked: a process serves the file.
func Compact(from, to string) (p Position, err error) {
	source, err := openReadOnly(from)
	if err != nil {
		return p, fmt.Errorf("compact %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := bbolt.Open(to, 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true})
	if err != nil {
		return p, fmt.Errorf("compact to %s: %w", to, err)
	}
	err = recoverDamage(func() error {
		if err := bbolt.Compact(target, source, compactTxSize); err != nil {
			return err
		}
		err := target.Update(func(b *bbolt.Tx) error {
			bucket := b.Bucket([]byte(tableNames[meta]))
			if bucket == nil {
				return damagedError("it has no table " + tableNames[meta])
			}
			return bucket.Put(storeIDKey, newStoreID())
		})
		if err != nil {
			return err
		}
		return target.View(func(b *bbolt.Tx) error {
			p = positionOf(b)
			return target.Sync()
		})
	})
	if err = errors.Join(err, target.Close()); err != nil {
		return p, errors.Join(fmt.Errorf("compact %s: %w", from, err), os.Remove(to))
	}
	return p, nil
}
