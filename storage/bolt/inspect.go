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

// inspect.go checks the file before bbolt opens it. In bbolt a missing or damaged page ends the process with a signal
// or a panic, and the message does not help the operator.

// errDamaged explains how to go on with a damaged file.
var errDamaged = errors.New(
	"the file is damaged, or not a Curfew store; stop Curfew and restore a backup, or without one, " +
		"try `bbolt surgery` on a copy of the file",
)

// The layout of a meta page: offsets of the fields behind the page header. Numbers are little-endian.
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
	pageSize  uint64
	root      uint64
	freelist  uint64
	pageCount uint64
	tx        uint64
}

// fullCheckLimit is the largest size in bytes of a file whose pages are all checked each time the store opens. For
// such a file the check takes milliseconds.
const fullCheckLimit = 64 << 20

// checkFile returns an error for a file that is not a bbolt file, was cut short, or has damaged pages. It accepts a
// file that is missing or empty.
//
// It checks the pages of a large file only if the last process ended without writing the list of free pages. bbolt
// then has to read all pages anyway.
func checkFile(path string) error { return checkFilePages(path, fullCheckLimit) }

// checkFilePages does what checkFile does. It always checks all pages of a file with at most fullLimit bytes.
func checkFilePages(path string, fullLimit int64) error {
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
	if h.freelist != noFreelist && info.Size() > fullLimit {
		return nil // bbolt notices a damaged page when it reads it
	}
	content, release, err := mapFile(f, info.Size())
	if err != nil {
		return unavailable(err)
	}
	return errors.Join(checkPages(content, h), release())
}

// damagedError returns an error that names the damage and explains how to go on.
func damagedError(damage string) error {
	return fmt.Errorf("%w: %s: %w", storage.ErrUnavailable, damage, errDamaged)
}

// bbolt's page size is that of the operating system, a power of two. These limits cover all systems.
const (
	minPageSize = 1 << 10
	maxPageSize = 1 << 24
)

// readMetaPage reads the newer of the two meta pages, or the only one that is not damaged. They are the first two pages
// of the file. The page size is in the meta page itself: if the first one is damaged, the offset of the second is
// unknown. readMetaPage therefore tries all page sizes.
func readMetaPage(f io.ReaderAt, length int64) (newest metaPage, ok bool) {
	offsets := []int64{0}
	for size := int64(minPageSize); size <= maxPageSize && size < length; size *= 2 {
		offsets = append(offsets, size)
	}
	for _, offset := range offsets {
		page := make([]byte, pageHeaderSize+metaLength)
		if _, err := f.ReadAt(page, offset); err != nil {
			continue
		}
		candidate, valid := parseMetaPage(page[pageHeaderSize:])
		inPlace := candidate.pageSize >= minPageSize && (offset == 0 || uint64(offset) == candidate.pageSize)
		if valid && inPlace && (!ok || candidate.tx > newest.tx) {
			newest, ok = candidate, true
		}
	}
	return newest, ok
}

// parseMetaPage reads the content of a meta page. valid reports whether its magic number and checksum are right.
func parseMetaPage(content []byte) (page metaPage, valid bool) {
	sum := fnv.New64a()
	_, _ = sum.Write(content[:metaChecksum])
	checksumMatches := sum.Sum64() == binary.LittleEndian.Uint64(content[metaChecksum:])
	page = metaPage{
		pageSize:  uint64(binary.LittleEndian.Uint32(content[metaPageSize:])),
		root:      binary.LittleEndian.Uint64(content[metaRoot:]),
		freelist:  binary.LittleEndian.Uint64(content[metaFreelist:]),
		pageCount: binary.LittleEndian.Uint64(content[metaPageCount:]),
		tx:        binary.LittleEndian.Uint64(content[metaTx:]),
	}
	return page, checksumMatches && binary.LittleEndian.Uint32(content) == metaMagic
}
