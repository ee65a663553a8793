//go:build unix

package bolt

import (
	"os"
	"syscall"
)

// mapFile maps a file into memory for reading. The caller must call release when it no longer needs content.
func mapFile(f *os.File, length int64) (content []byte, release func() error, err error) {
	content, err = syscall.Mmap(int(f.Fd()), 0, int(length), syscall.PROT_READ, syscall.MAP_SHARED)
	return content, func() error { return syscall.Munmap(content) }, err
}
