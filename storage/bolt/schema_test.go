package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// mustEdit changes a closed file with bbolt alone.
func mustEdit(t *testing.T, path string, edit func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(edit))
	must(t, db.Close())
}

// mustMakeFile makes a store and closes it.
func mustMakeFile(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "curfew.db")
	must(t, mustOpen(t, Options{Path: path}).Close())
	return path
}

// TestSchemaThatIsNotKnownIsRefusedAndLeftAlone: no other schema is ever taken for the present one.
func TestSchemaThatIsNotKnownIsRefusedAndLeftAlone(t *testing.T) {
	version := func(n uint64) func(*bbolt.Tx) error { return func(b *bbolt.Tx) error { return putSchema(b, n) } }
	withoutVersion := func(b *bbolt.Tx) error { return b.Bucket([]byte("meta")).Delete(schemaKey) }
	for name, c := range map[string]struct {
		edit func(*bbolt.Tx) error
		want error
		says string
	}{
		"newer": {
			edit: version(Schema + 1),
			want: storage.ErrNewer,
			says: "schema 2",
		},
		"older": {
			edit: version(0),
			want: storage.ErrOlder,
			says: "schema 0",
		},
		"a build before the first release": {
			edit: func(b *bbolt.Tx) error {
				return errors.Join(withoutVersion(b), b.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, 1)))
			},
			want: storage.ErrOlder,
			says: "start with a new store",
		},
		"no version": {
			edit: withoutVersion,
			want: errDamaged,
			says: "no schema version",
		},
		"unreadable version": {
			edit: func(b *bbolt.Tx) error { return b.Bucket([]byte("meta")).Put(schemaKey, []byte("1")) },
			want: errDamaged,
			says: "version",
		},
		"another program's": {
			edit: func(b *bbolt.Tx) error {
				_, err := b.CreateBucket([]byte("jobs"))
				return errors.Join(err, b.DeleteBucket([]byte("meta")))
			},
			want: errDamaged,
			says: "no table meta",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := mustMakeFile(t)
			mustEdit(t, path, c.edit)
			before, err := os.ReadFile(path)
			must(t, err)
			_, err = Open(Options{Path: path})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("got error %v, want %v that says %q", err, c.want, c.says)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestMissingTableIsMade: a table that a release adds needs no new schema.
func TestMissingTableIsMade(t *testing.T) {
	path := mustMakeFile(t)
	mustEdit(t, path, func(b *bbolt.Tx) error { return b.DeleteBucket([]byte(tableNames[oneTimeLinks])) })
	s := mustOpen(t, Options{Path: path})
	_, err := s.OneTimeLink(t.Context(), storage.HashOf("none"), fixtureStart)
	if !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("got error %v", err)
	}
}

// noteStep is a migration that leaves a note.
func noteStep(key string, fail error) migration {
	return migration{title: "note " + key, run: func(b *bbolt.Tx) error {
		return errors.Join(b.Bucket([]byte("meta")).Put([]byte(key), []byte("x")), fail)
	}}
}

// mustReadSchema reads the version and whether a note is there.
func mustReadSchema(t *testing.T, path, note string) (version uint64, noted bool) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	defer db.Close()
	version, err = readSchema(db)
	must(t, err)
	must(t, db.View(func(b *bbolt.Tx) error {
		noted = b.Bucket([]byte("meta")).Get([]byte(note)) != nil
		return nil
	}))
	return version, noted
}

// mustMigrate runs the steps on a closed file.
func mustMigrate(t *testing.T, path string, steps ...migration) error {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	defer db.Close()
	version, err := readSchema(db)
	must(t, err)
	return migrate(db, version, steps)
}

func TestMigrationsRunInOrderEachAfterACopy(t *testing.T) {
	path := mustMakeFile(t)
	must(t, os.WriteFile(path+".schema-1", []byte("of an interrupted start"), 0o600))
	must(t, mustMigrate(t, path, noteStep("first", nil), noteStep("second", nil)))
	if version, noted := mustReadSchema(t, path, "second"); version != 3 || !noted {
		t.Errorf("got schema %d, second step %v", version, noted)
	}
	if version, noted := mustReadSchema(t, path+".schema-1", "first"); version != 1 || noted {
		t.Errorf("copy of schema 1: got schema %d, first step %v", version, noted)
	}
	if version, noted := mustReadSchema(t, path+".schema-2", "second"); version != 2 || noted {
		t.Errorf("copy of schema 2: got schema %d, second step %v", version, noted)
	}
	info, err := os.Stat(path + ".schema-1")
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o of the copy, want 600", info.Mode().Perm())
	}
	if err := mustMigrate(t, path, noteStep("first", nil)); !errors.Is(err, storage.ErrOlder) {
		t.Errorf("a schema beyond the last step: got error %v", err)
	}
}

func TestMigrationThatFailsChangesNothingAndGoesOnNextTime(t *testing.T) {
	path := mustMakeFile(t)
	broken := errors.New("broken")
	err := mustMigrate(t, path, noteStep("first", nil), noteStep("second", broken))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path+".schema-2") {
		t.Errorf("got error %v", err)
	}
	if version, noted := mustReadSchema(t, path, "second"); version != 2 || noted {
		t.Errorf("got schema %d, second step %v", version, noted)
	}
	must(t, mustMigrate(t, path, noteStep("first", broken), noteStep("second", nil)))
	if version, _ := mustReadSchema(t, path, "second"); version != 3 {
		t.Errorf("got schema %d, want 3", version)
	}
}

// TestMigrationNeedsItsCopy: without room for the copy nothing is changed.
func TestMigrationNeedsItsCopy(t *testing.T) {
	path := mustMakeFile(t)
	must(t, os.Mkdir(path+".schema-1.partial", 0o700))
	if err := mustMigrate(t, path, noteStep("first", nil)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got error %v", err)
	}
	if version, _ := mustReadSchema(t, path, "first"); version != 1 {
		t.Errorf("got schema %d, want 1", version)
	}
}
