//go:build !unix

package bolt

import (
	"io"
	"os"
)

// mapFile reads a file into memory. The caller must call release when it no longer needs content.
func mapFile(f *os.File, length int64) (content []byte, release func() error, err error) {
	content, err = io.ReadAll(io.NewSectionReader(f, 0, length))
	return content, func() error { return nil }, err
}
