package backup_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/storage/backup"
)

func mustWrite(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	h := backup.Header{Issuer: "https://op.example", Schema: 1, Size: int64(len(content))}
	err := backup.Write(&b, h, func(w io.Writer) (int64, error) {
		n, err := io.WriteString(w, content)
		return int64(n), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(content []byte) (backup.Header, string, error) {
	r, err := backup.NewReader(bytes.NewReader(content))
	if err != nil {
		return backup.Header{}, "", err
	}
	var file strings.Builder
	err = r.Copy(&file)
	return r.Header, file.String(), err
}

func TestBackupGivesTheFileAndItsHeader(t *testing.T) {
	for _, content := range []string{"", "one\ntwo\n", strings.Repeat("page", 1<<16)} {
		h, file, err := read(mustWrite(t, content))
		if err != nil || file != content || h.Issuer != "https://op.example" {
			t.Errorf("got %v, %d bytes and %+v, want the %d bytes that were written", err, len(file), h, len(content))
		}
	}
}

func TestDamagedBackupIsRefused(t *testing.T) {
	whole := mustWrite(t, "one\ntwo\n")
	for i := range whole {
		if _, _, err := read(whole[:i]); err == nil {
			t.Errorf("got no error for the first %d of %d bytes", i, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if _, _, err := read(changed); err == nil {
			t.Errorf("got no error with byte %d changed", i)
		}
	}
	if _, _, err := read(append(whole, 0)); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("got %v for a byte too many, want ErrDamaged", err)
	}
}

func TestOtherFileIsNoBackup(t *testing.T) {
	if _, err := backup.NewReader(strings.NewReader("something else")); !errors.Is(err, backup.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func TestFileThatGrewWhileItWasWrittenIsRefused(t *testing.T) {
	err := backup.Write(io.Discard, backup.Header{Size: 3}, func(w io.Writer) (int64, error) { return 4, nil })
	if err == nil {
		t.Error("got no error for a file with more bytes than the header says")
	}
}
