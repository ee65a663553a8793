package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// device_linux.go compares the kernel's cached copy of the file with the disk. After a failed sync the two may differ:
// the kernel marks pages as written that the disk never got.

// deviceBlock is how many bytes are compared at a time. O_DIRECT needs a multiple of the disk's block size.
const deviceBlock = 1 << 20

// verifyDevice drops the kernel's cached copy of the file. It returns an error if reads still give other data than the
// disk has. If the file system does not support O_DIRECT, verifyDevice cannot compare, and only drops the cache. The
// file must not be mapped into memory.
func verifyDevice(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil { // the kernel does not drop a page that is not written yet
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

// hasRoom reports whether the disk of a file has commitRoom left. If the system does not say, it returns true.
func hasRoom(path string) bool {
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return true
	}
	return disk.Bavail*uint64(disk.Bsize) >= commitRoom
}

// compareDevice returns an error if a normal read and an O_DIRECT read of the file differ.
func compareDevice(cached, device *os.File) error {
	// O_DIRECT needs an aligned buffer.
	onDisk, err := unix.Mmap(-1, 0, deviceBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(onDisk) }() // cannot fail: the buffer is mapped
	inCache := make([]byte, deviceBlock)
	for offset := int64(0); ; offset += deviceBlock {
		n, deviceErr := device.ReadAt(onDisk, offset)
		atEnd := errors.Is(deviceErr, io.EOF)
		if deviceErr != nil && !atEnd {
			return deviceErr
		}
		m, cacheErr := cached.ReadAt(inCache, offset)
		if cacheErr != nil && !errors.Is(cacheErr, io.EOF) {
			return cacheErr
		}
		if !bytes.Equal(onDisk[:n], inCache[:m]) {
			return fmt.Errorf(
				"the system shows other data than the disk has, near byte %d; restart the machine",
				offset,
			)
		}
		if atEnd {
			return nil
		}
	}
}
