package bolt

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// TestWritingOnAfterALostMetaPageWouldDamageTheFile shows why a failed sync stops the store: bbolt writes the
// transaction after the one whose meta page never reached the disk over pages that the meta page before needs.
func TestWritingOnAfterALostMetaPageWouldDamageTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	must(t, err)
	defer db.Close()
	commit := func(n int) {
		must(t, db.Update(func(b *bbolt.Tx) error {
			bucket, err := b.CreateBucketIfNotExists([]byte("records"))
			must(t, err)
			for i := range 200 {
				must(t, bucket.Put(fmt.Append(nil, "key ", i), bytes.Repeat([]byte{byte(n)}, 100)))
			}
			return nil
		}))
	}
	for n := range 4 {
		commit(n)
	}
	metaPages := mustReadFile(t, path)[:2*os.Getpagesize()]
	commit(4) // the sync of its meta page fails
	commit(5) // a power cut comes before the sync of its meta page
	onDisk := append(bytes.Clone(metaPages), mustReadFile(t, path)[len(metaPages):]...)
	image := filepath.Join(t.TempDir(), "curfew.db")
	must(t, os.WriteFile(image, onDisk, 0o600))
	after, err := bbolt.Open(image, 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer after.Close()
	lost := 0
	must(t, after.View(func(b *bbolt.Tx) error {
		return b.Bucket([]byte("records")).ForEach(func(_, value []byte) error {
			if value[0] != 3 {
				lost++
			}
			return nil
		})
	}))
	if lost == 0 {
		t.Error("all records of the last transaction on disk are there: the store would not need to stop")
	}
}

func mustReadFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}
