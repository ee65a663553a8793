// Package backup is the format of a backup: a header, the file of a store, and a checksum.
//
//	curfew backup 1          the format
//	{"schema":1, …}          the header, one line of JSON
//	…                        the file, Header.Size bytes
//	…                        SHA-256 of everything before, 32 bytes
//
// The checksum stands at the end, because a backup is written while the store is read. It shows damage, and a backup
// that was cut short. It does not show that somebody changed the backup on purpose: encryption does (package archive).
package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// magic is the first line of a backup.
const magic = "curfew backup 1\n"

// maxHeader limits the line of the header, in bytes.
const maxHeader = 64 << 10

// Header says what a backup contains.
type Header struct {
	Issuer      string           `json:"issuer"`
	Version     string           `json:"version"` // of the program that wrote it
	Created     time.Time        `json:"created"`
	Schema      uint64           `json:"schema"`      // of the store
	StoreID     string           `json:"store"`       // of the store
	Transaction uint64           `json:"transaction"` // the latest one that the backup contains
	Sequence    storage.Sequence `json:"sequence"`    // of that transaction
	AuditLine   uint64           `json:"audit_line"`  // the number of the last line of the audit trail
	AuditHash   storage.Hash     `json:"audit_hash"`  // the hash of that line
	Size        int64            `json:"size"`        // of the file, in bytes
}

// ErrFormat: the input is not a backup of a format that this release knows.
var ErrFormat = errors.New("not a backup of Curfew")

// ErrDamaged: the backup was cut short or changed.
var ErrDamaged = errors.New("the backup is damaged or was cut short: use another one")

// Is reports whether a file that begins with these bytes is a backup.
func Is(beginning []byte) bool { return bytes.HasPrefix(beginning, []byte(magic)) }

// Write writes a backup. content writes the file, which has h.Size bytes.
func Write(w io.Writer, h Header, content func(io.Writer) (int64, error)) error {
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode the header of the backup: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s%s\n", magic, line); err != nil {
		return fmt.Errorf("write the header of the backup: %w", err)
	}
	n, err := content(out)
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if n != h.Size {
		return fmt.Errorf("write the backup: the file has %d bytes, want %d", n, h.Size)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write the checksum of the backup: %w", err)
	}
	return nil
}

// Reader reads a backup.
type Reader struct {
	Header Header

	rest *bufio.Reader
	sum  hash.Hash
}

// NewReader reads the header of a backup. ErrFormat; ErrDamaged.
func NewReader(r io.Reader) (*Reader, error) {
	b := &Reader{rest: bufio.NewReaderSize(r, maxHeader), sum: sha256.New()}
	if first, err := b.rest.Peek(len(magic)); err != nil || !Is(first) {
		return nil, ErrFormat
	}
	if err := b.readLine(nil); err != nil {
		return nil, err
	}
	if err := b.readLine(&b.Header); err != nil {
		return nil, err
	}
	return b, nil
}

// readLine reads a line and decodes it into h, if that is not nil.
func (b *Reader) readLine(h *Header) error {
	line, err := b.rest.ReadSlice('\n')
	if err != nil {
		return ErrDamaged
	}
	b.sum.Write(line)
	if h == nil {
		return nil
	}
	if err := json.Unmarshal(line, h); err != nil || h.Size < 0 {
		return ErrDamaged
	}
	return nil
}

// Copy writes the file to w and verifies the checksum. ErrDamaged. After an error, what w got must not be used.
func (b *Reader) Copy(w io.Writer) error {
	switch n, err := io.CopyN(io.MultiWriter(w, b.sum), b.rest, b.Header.Size); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return ErrDamaged
	case err != nil:
		return fmt.Errorf("copy the file of the backup: %w", err)
	case n != b.Header.Size:
		return ErrDamaged
	}
	end, err := io.ReadAll(io.LimitReader(b.rest, sha256.Size+1))
	if err != nil || !bytes.Equal(end, b.sum.Sum(nil)) {
		return ErrDamaged
	}
	return nil
}
