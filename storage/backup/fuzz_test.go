package backup_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/curfew-id/curfew/storage/backup"
)

// FuzzBackup: whatever a file contains, it is a backup whose checksum is right, or it is refused. The reader gives no
// more than the file has.
func FuzzBackup(f *testing.F) {
	good := mustWrite(f, "the file of a store")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(bytes.Replace(good, []byte(`"size":19`), []byte(`"size":9223372036854775807`), 1))
	f.Add(bytes.Replace(good, []byte(`"size":19`), []byte(`"size":-1`), 1))
	f.Add([]byte("curfew backup 1\n{}\n"))
	f.Add([]byte("curfew backup 1\n"))
	f.Add([]byte("curfew backup 2\n{}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := backup.NewReader(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, backup.ErrFormat) && !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("got error %v", err)
			}
			return
		}
		var out bytes.Buffer
		err = r.Copy(&out)
		if err != nil {
			if !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("got error %v", err)
			}
			return
		}
		body := file[:len(file)-sha256.Size]
		sum := sha256.Sum256(body)
		if !bytes.Equal(sum[:], file[len(body):]) || int64(out.Len()) != r.Header.Size || !bytes.HasSuffix(body, out.Bytes()) {
			t.Errorf("accepted, with a wrong checksum or another content: %q", file)
		}
	})
}
