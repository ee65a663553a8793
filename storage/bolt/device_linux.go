package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// device_linux.go compares the file as the system shows it with the file on the disk. After a failed sync the two may
// differ: the system marks the pages as written that the disk never got.

// deviceBlock is how many bytes are compared at a time: a multiple of every disk's block.
const deviceBlock = 1 << 20

// verifyDevice drops the system's copy of the file and reports an error if what the system shows then is not what is
// on the disk. On a file system that cannot read around its cache (O_DIRECT), dropping must do. The file must not be
// mapped.
func verifyDevice(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil { // a page that is still to be written cannot be dropped
		return fmt.Errorf("sync: %w", err)
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("drop the cache: %w", err)
	}
	device, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return err
	}
	defer device.Close()
	return compareDevice(file, device)
}

// compareDevice reports an error if the two differ.
func compareDevice(cached, device *os.File) error {
	// O_DIRECT needs an aligned buffer.
	onDisk, err := unix.Mmap(-1, 0, deviceBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(onDisk) }() // cannot fail for what was mapped
	shown := make([]byte, deviceBlock)
	for offset := int64(0); ; offset += deviceBlock {
		n, err := device.ReadAt(onDisk, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		m, cachedErr := cached.ReadAt(shown, offset)
		if cachedErr != nil && !errors.Is(cachedErr, io.EOF) {
			return cachedErr
		}
		if !bytes.Equal(onDisk[:n], shown[:m]) {
			return fmt.Errorf(
				"the system shows other data than the disk has, near byte %d; restart the machine",
				offset,
			)
		}
		if err != nil {
			return nil
		}
	}
}
