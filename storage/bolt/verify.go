package bolt

import (
	"errors"
	"fmt"
	"math"
	"os"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/curfew-id/curfew/storage"
)

// Contents is what Verify found in a file.
type Contents struct {
	StoreID     string
	Transaction uint64
	Schema      uint64
	Counts      map[string]int // the number of records of each kind
}

// counted are the tables that Verify counts, with the name of their records.
var counted = map[table]string{
	users:               "users",
	clients:             "clients",
	sessionsBySecret:    "sessions",
	sessionsBySID:       "client sessions",
	grants:              "grants",
	tokens:              "access tokens",
	deliveries:          "deliveries",
	reports:             "reports",
	keys:                "keys",
	events:              "audit lines",
	oneTimeLinks:        "one-time links",
	initialAccessTokens: "initial access tokens",
}

// Verify checks every page of a file that no process serves, and counts its records. It changes nothing. ErrLocked: a
// process serves the file. ErrNewer: another release wrote it. An error that names damage: the file is not usable.
func Verify(path string) (c Contents, err error) {
	if err := checkFilePages(path, math.MaxInt64); err != nil {
		return c, fmt.Errorf("check %s: %w", path, err)
	}
	db, err := openReadOnly(path)
	if err != nil {
		return c, fmt.Errorf("check %s: %w", path, err)
	}
	err = recoverDamage(func() error {
		if c.Schema, err = readSchema(db); err != nil {
			return err
		}
		if c.Schema > Schema {
			return fmt.Errorf("%w: the file has schema %d, this release knows schemas up to %d",
				storage.ErrNewer, c.Schema, Schema)
		}
		return db.View(func(b *bbolt.Tx) error {
			var damage []error
			for err := range b.Check() {
				damage = append(damage, err)
			}
			if err := errors.Join(damage...); err != nil {
				return damagedError(err.Error())
			}
			return c.read(b)
		})
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return c, fmt.Errorf("check %s: %w", path, err)
	}
	return c, nil
}

func (c *Contents) read(b *bbolt.Tx) error {
	c.Transaction = uint64(b.ID())
	c.Counts = map[string]int{}
	if bucket := b.Bucket([]byte(tableNames[meta])); bucket != nil {
		c.StoreID = string(bucket.Get(storeIDKey))
	}
	for tbl, name := range counted {
		c.Counts[name] = 0
		if bucket := b.Bucket([]byte(tableNames[tbl])); bucket != nil {
			c.Counts[name] = bucket.Stats().KeyN
		}
	}
	return nil
}

// openReadOnly opens a file for reading. As long as it is open, no process can serve the file.
func openReadOnly(path string) (*bbolt.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, unavailable(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w; stop that process first", storage.ErrLocked)
	case err != nil:
		return nil, damagedError(err.Error())
	}
	return db, nil
}
