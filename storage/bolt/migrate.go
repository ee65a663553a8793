package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// migrate.go updates the file of an older release, one schema at a time. Each step is one transaction. After a crash
// the file has the schema before the step or the schema after it, and the next start continues from there. Curfew
// copies the file before each step, because an older release cannot read the file after the step.

// migration is the step from one schema to the next.
type migration struct {
	title string // describes the step in the error of a step that fails
	run   func(*bbolt.Tx) error
}

// migrations lists the steps in order. The first leads from schema 1 to schema 2, the last to Schema.
var migrations = [Schema - 1]migration{}

// migrate runs the steps that lead from the file's version to the newest schema.
func migrate(db *bbolt.DB, version uint64, steps []migration) error {
	if version < 1 || version > uint64(len(steps))+1 {
		return fmt.Errorf("%w: the file has schema %d, this release reads schemas from 1 on", storage.ErrOlder, version)
	}
	for _, step := range steps[version-1:] {
		backup, err := backUp(db, version)
		if err != nil {
			return fmt.Errorf("copy the store before its schema changes from %d to %d: %w", version, version+1, err)
		}
		err = db.Update(func(b *bbolt.Tx) error {
			if err := step.run(b); err != nil {
				return err
			}
			return putSchema(b, version+1)
		})
		if err != nil {
			return fmt.Errorf(
				"change the schema from %d to %d (%s; a copy of the store is in %s): %w",
				version,
				version+1,
				step.title,
				backup,
				commitError(err),
			)
		}
		version++
	}
	return nil
}

// backUp copies the file into the same folder and returns the path of the copy. The copy is on disk when backUp
// returns. It replaces a copy from a start that was interrupted: the file has not changed since then.
func backUp(db *bbolt.DB, version uint64) (path string, err error) {
	path = fmt.Sprintf("%s.schema-%d", db.Path(), version)
	partial := path + ".partial"
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", unavailable(err)
	}
	err = db.View(func(b *bbolt.Tx) error {
		_, err := b.WriteTo(file)
		return err
	})
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		_ = os.Remove(partial) // its error would hide the first one
		return "", commitError(err)
	}
	return path, nil
}

// syncFolder syncs a folder, so that a new file name in it survives a crash.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
