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

// inspect.go checks the file before bbolt opens it. In bbolt a page that is missing or damaged ends the process with
// a signal or a panic, and the message does not say what to do.

// errDamaged says what to do about a damaged file.
var errDamaged = errors.New(
	"the file is damaged, or not a Curfew store; stop Curfew and restore a backup, or without one, " +
		"try `bbolt surgery` on a copy of the file",
)

// The layout of a meta page, little-endian, behind the page header.
const (
	metaLength    = 64
	metaPageSize  = 8
	metaRoot      = 16
	metaFreelist  = 32
	metaPageCount = 40
	metaTx        = 48
	metaChecksum  = 56 // FNV-1a of the bytes before it
	metaMagic     = 0xED0CDAED
	noFreelist    = 1<<64 - 1
)

// metaPage is the content of a meta page.
type metaPage struct {
	pageSize, root, freelist, pageCount, tx uint64
}

// fullCheckLimit is the size in bytes up to which all pages are checked whenever the store opens. That takes
// milliseconds.
const fullCheckLimit = 64 << 20

// checkFile reports an error for a file that is not a bbolt file, was cut short, or has damaged pages. It checks the
// pages of a large file only if bbolt would read them all as well, to find the free ones: that is when the last
// process ended without writing the list of free pages. A file that is missing or empty passes.
func checkFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return unavailable(err)
	case !info.Mode().IsRegular():
		return unavailable(errors.New("not a regular file"))
	case info.Size() == 0:
		return nil
	}
	h, ok := readMetaPage(f, info.Size())
	if !ok {
		return damagedError("both meta pages are damaged")
	}
	if uint64(info.Size())/h.pageSize < h.pageCount {
		return damagedError(fmt.Sprintf("it has %d bytes and should have %d", info.Size(), h.pageCount*h.pageSize))
	}
	if h.freelist != noFreelist && info.Size() > fullCheckLimit {
		return nil // a damaged page is noticed when it is read
	}
	content, release, err := mapFile(f, info.Size())
	if err != nil {
		return unavailable(err)
	}
	return errors.Join(checkPages(content, h), release())
}

// damagedError says what is damaged and what to do.
func damagedError(what string) error {
	return fmt.Errorf("%w: %s: %w", storage.ErrUnavailable, what, errDamaged)
}

// readMetaPage reads the newer of the two meta pages, or the only one that is not damaged. The second begins after
// one page, and the page size stands in the meta page itself; so all sizes are tried.
func readMetaPage(f io.ReaderAt, length int64) (h metaPage, ok bool) {
	offsets := []int64{0}
	for size := int64(1024); size <= 1<<24 && size < length; size *= 2 {
		offsets = append(offsets, size)
	}
	for _, offset := range offsets {
		buf := make([]byte, pageHeader+metaLength)
		if _, err := f.ReadAt(buf, offset); err != nil {
			continue
		}
		m := buf[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:metaChecksum])
		candidate := metaPage{
			pageSize:  uint64(binary.LittleEndian.Uint32(m[metaPageSize:])),
			root:      binary.LittleEndian.Uint64(m[metaRoot:]),
			freelist:  binary.LittleEndian.Uint64(m[metaFreelist:]),
			pageCount: binary.LittleEndian.Uint64(m[metaPageCount:]),
			tx:        binary.LittleEndian.Uint64(m[metaTx:]),
		}
		checked := binary.LittleEndian.Uint32(m) == metaMagic &&
			sum.Sum64() == binary.LittleEndian.Uint64(m[metaChecksum:])
		inPlace := candidate.pageSize >= 1024 && (offset == 0 || uint64(offset) == candidate.pageSize)
		if checked && inPlace && (!ok || candidate.tx > h.tx) {
			h, ok = candidate, true
		}
	}
	return h, ok
}
