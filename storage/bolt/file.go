package bolt

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
)

// file.go opens the file, and turns the panics that a damaged file causes into errors.

// openFile opens the file and takes its lock. It first syncs the file, so that the writes of an earlier process that
// stopped before its last sync are on disk. bbolt panics on some kinds of damage without releasing the lock; openFile
// then closes the file and returns an error.
func openFile(o Options) (db *bbolt.DB, info os.FileInfo, err error) {
	var file *os.File
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, errors.Join(damagedError(fmt.Sprint(p)), file.Close())
		}
	}()
	db, err = bbolt.Open(o.Path, 0o600, &bbolt.Options{
		Timeout:        o.Timeout,
		MaxSize:        o.MaxSize,
		NoFreelistSync: true, // with many free pages the list costs more than the data of a commit
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,

		InitialMmapSize: mapSize(o.Path),
		OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			if file, err = os.OpenFile(path, flag, mode); err != nil {
				return nil, err
			}
			err = errors.Join(file.Chmod(mode), file.Sync()) // Chmod protects the password hashes in an existing file
			if err == nil {
				info, err = file.Stat()
			}
			if err != nil {
				return nil, errors.Join(err, file.Close())
			}
			return file, nil
		},
	})
	return db, info, err
}

// A file of at least largeFile bytes is mapped at a size that it never reaches. Otherwise bbolt would map it again when
// it has grown past the mapping. It waits for all read transactions then, and all others wait for it: a backup
// would stop the store. The mapping takes addresses, not memory. A smaller file is read in a moment.
const (
	largeFile    = 16 << 20
	largeMapping = 64 << 30
)

// mapSize returns the size at which a file is mapped; 0: at its own size.
func mapSize(path string) int {
	info, err := os.Stat(path)
	hasAddresses := strconv.IntSize == 64 && runtime.GOOS != "windows" // Windows extends the file to its mapping
	if err != nil || !hasAddresses || info.Size() < largeFile {
		return 0
	}
	var size int64 = largeMapping
	return int(size)
}

// checkFileInPlace returns an error if the path no longer leads to the file that is open.
func checkFileInPlace(path string, open os.FileInfo) error {
	now, err := os.Stat(path)
	switch {
	case err == nil && os.SameFile(now, open):
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return unavailable(err)
	}
	return fmt.Errorf(
		"%w: the file %s was removed or replaced while it was in use; to keep its content, copy the deleted file "+
			"that `ls -l /proc/%d/fd` shows before you stop this process, then put the copy in place and start again",
		storage.ErrUnavailable,
		path,
		os.Getpid(),
	)
}

// recoverDamage turns the panic that a damaged page causes into an error.
func recoverDamage(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return fn()
}

// panicError turns a panic in a transaction into an error. Two kinds of panic show a damaged file: bbolt panics with a
// text if it finds a damaged page, and a page that points beyond the file causes a fault with an address. Any other
// panic is a bug.
func panicError(p any) error {
	_, isFault := p.(interface{ Addr() uintptr })
	if _, isRuntime := p.(runtime.Error); isRuntime && !isFault {
		return fmt.Errorf("%w: panic in a transaction: %v", storage.ErrUnavailable, p)
	}
	return damagedError(fmt.Sprint(p))
}
