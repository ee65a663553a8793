package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/curfew-id/curfew/storage"
)

// The layout of a bbolt meta page, little-endian, after the 16 bytes of its page header.
const (
	metaHeader   = 16
	metaLength   = 64
	metaPageSize = 8  // uint32
	metaPages    = 40 // uint64: the high-water mark
	metaChecksum = 56 // uint64: FNV-1a of what is before it
	boltMagic    = 0xED0CDAED
)

// errDamaged tells a person what to do about a file that is no store or no longer one.
var errDamaged = errors.New("not a Curfew store, or a damaged one: restore a backup, or try 'bbolt surgery' on a copy")

// inspect refuses a file that is no bbolt file or was cut short before it is mapped into memory, where touching a page
// that is not there would kill the process. A file that is missing or empty is fine.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", storage.ErrUnavailable)
	}
	if info.Size() == 0 {
		return nil
	}
	pages, size, ok := readMeta(f)
	if !ok {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, errDamaged)
	}
	if want := pages * size; uint64(info.Size()) < want {
		return fmt.Errorf("%w: the file has %d bytes and should have %d: %w", storage.ErrUnavailable, info.Size(), want, errDamaged)
	}
	return nil
}

// readMeta reads the high-water mark and the page size from the first meta page that is whole; bbolt keeps two, and
// needs one.
func readMeta(f io.ReaderAt) (pages, size uint64, ok bool) {
	for _, at := range []int64{0, 4096, 8192, 16384, 65536, 1024, 2048, 32768} {
		buf := make([]byte, metaHeader+metaLength)
		if _, err := f.ReadAt(buf, at); err != nil {
			continue
		}
		m := buf[metaHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:metaChecksum])
		if binary.LittleEndian.Uint32(m) != boltMagic || sum.Sum64() != binary.LittleEndian.Uint64(m[metaChecksum:]) {
			continue
		}
		if p := binary.LittleEndian.Uint64(m[metaPages:]); p > pages {
			pages, size, ok = p, uint64(binary.LittleEndian.Uint32(m[metaPageSize:])), true
		}
	}
	return pages, size, ok
}
