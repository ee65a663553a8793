package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// schema.go decides whether this release can read a file, and updates an older file.
//
// The schema version counts changes that make older releases misread a file: another structure of a table or an index,
// or another meaning of a field. A new field of a record (package record) or a new table needs no new version.

// Schema is the schema version that this release reads and writes.
const Schema = 1

var (
	// schemaKey is the key of the schema version in the table meta.
	schemaKey = []byte("schema_version")
	// unreleasedSchemaKey is the key that builds before the first release used instead.
	unreleasedSchemaKey = []byte("schema")
)

// prepare updates the file for this release and loads the cache.
func (s *Store) prepare() error {
	db := s.db.Load()
	version, err := readSchema(db)
	switch {
	case err != nil:
		return err
	case version > Schema:
		return fmt.Errorf(
			"%w: the file has schema %d, this release knows schemas up to %d",
			storage.ErrNewer,
			version,
			Schema,
		)
	case version < Schema:
		if err := migrate(db, version, migrations[:]); err != nil {
			return err
		}
	}
	if err := createTables(db); err != nil {
		return err
	}
	newest, err := newestTx(db)
	if err != nil {
		return unavailable(err)
	}
	s.durable.Store(newest)
	return s.reload()
}

// readSchema returns the schema version of a file. A file without any table is new and has the version Schema.
func readSchema(db *bbolt.DB) (version uint64, err error) {
	err = db.View(func(b *bbolt.Tx) error {
		if first, _ := b.Cursor().First(); first == nil {
			version = Schema
			return nil
		}
		bucket := b.Bucket([]byte(tableNames[meta]))
		if bucket == nil {
			return damagedError("it has no table " + tableNames[meta])
		}
		switch value := bucket.Get(schemaKey); {
		case len(value) == 8:
			version = binary.BigEndian.Uint64(value)
			return nil
		case value != nil:
			return damagedError("its schema version cannot be read")
		case bucket.Get(unreleasedSchemaKey) != nil:
			return fmt.Errorf(
				"%w: a build before the first release wrote it; move the file away and start with a new store",
				storage.ErrOlder,
			)
		default:
			return damagedError("it has no schema version")
		}
	})
	return version, err
}

// createTables creates the tables and the store's ID if they are missing from the file, and writes the schema version.
func createTables(db *bbolt.DB) error {
	missing := false
	err := db.View(func(b *bbolt.Tx) error {
		for _, name := range tableNames {
			missing = missing || b.Bucket([]byte(name)) == nil
		}
		missing = missing || b.Bucket([]byte(tableNames[meta])).Get(storeIDKey) == nil
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	if !missing {
		return nil
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, name := range tableNames {
			if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("create table %s: %w", name, err)
			}
		}
		if err := indexDynamicClients(b); err != nil {
			return err
		}
		if err := putStoreID(b); err != nil {
			return err
		}
		return putSchema(b, Schema)
	})
	if err != nil {
		return commitError(err)
	}
	return nil
}

// putStoreID gives the store an ID, if it has none.
func putStoreID(b *bbolt.Tx) error {
	bucket := b.Bucket([]byte(tableNames[meta]))
	if bucket.Get(storeIDKey) != nil {
		return nil
	}
	return bucket.Put(storeIDKey, newStoreID())
}

// putSchema writes the schema version.
func putSchema(b *bbolt.Tx, version uint64) error {
	bucket := b.Bucket([]byte(tableNames[meta]))
	if bucket == nil {
		return errors.New("no table " + tableNames[meta])
	}
	return bucket.Put(schemaKey, binary.BigEndian.AppendUint64(nil, version))
}
