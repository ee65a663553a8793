//go:build linux

package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/curfew-id/curfew/conformance/need"
	"golang.org/x/sys/unix"
)

// disk is a file system in a file, mounted through a loop device.
type disk struct {
	t     testing.TB
	image string
	mount string
}

// mustMakeDisk makes a file system of that type and size, and mounts it. It needs root.
func mustMakeDisk(t testing.TB, fileSystem string, megabytes int64) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		need.Missing(t, "mounting a file system needs root")
	}
	mkfs, err := exec.LookPath("mkfs." + fileSystem)
	if err != nil {
		need.Missing(
			t,
			"mkfs."+fileSystem+" is not here: install Debian's "+map[string]string{
				"ext4": "e2fsprogs",
				"xfs":  "xfsprogs",
			}[fileSystem],
		)
	}
	folder, err := os.MkdirTemp("", "disk")
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{t: t, image: filepath.Join(folder, "image"), mount: filepath.Join(folder, "m")}
	file, err := os.Create(d.image)
	if err == nil {
		err = errors.Join(file.Truncate(megabytes<<20), file.Close(), os.Mkdir(d.mount, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	options := map[string][]string{"ext4": {"-q", "-F", "-m", "0"}, "xfs": {"-q", "-f"}}[fileSystem]
	if out, err := exec.Command(mkfs, append(options, d.image)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.mount).CombinedOutput(); err != nil {
		need.Missing(t, fmt.Sprintf("no loop device can be mounted here: %s", strings.TrimSpace(string(out))))
	}
	t.Cleanup(func() {
		_ = exec.Command("umount", "-l", d.mount).Run() // it is not mounted after a failure between two mounts
		os.RemoveAll(folder)
	})
	return d
}

// cutPower shuts the file system down without writing its log: what was not synced is lost, as if the power had failed.
func (d *disk) cutPower() {
	d.t.Helper()
	folder, err := os.Open(d.mount)
	if err != nil {
		d.t.Fatal(err)
	}
	defer folder.Close()
	const shutdown, noLogFlush = 0x8004587d, 2 // FS_IOC_SHUTDOWN, FS_SHUTDOWN_FLAGS_NOLOGFLUSH
	flags := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(
		syscall.SYS_IOCTL,
		folder.Fd(),
		shutdown,
		uintptr(unsafe.Pointer(&flags)),
	); errno != 0 {
		need.Missing(d.t, fmt.Sprintf("this file system cannot be shut down by ioctl: %v", errno))
	}
}

// mustRemount mounts the file system again, which replays its journal. A process that was started in a mount namespace
// of its own, such as a browser of another test, keeps a copy of the mount, and with it the file system that was shut
// down: mustRemount tries again until that process has ended.
func (d *disk) mustRemount() {
	d.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		for _, command := range [][]string{{"umount", d.mount}, {"mount", "-o", "loop", d.image, d.mount}} {
			if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				d.t.Fatalf("%v: %v: %s", command, err, out)
			}
		}
		// A file is created, since a folder of a file system that is shut down can still be listed.
		probe, err := os.CreateTemp(d.mount, "probe")
		if err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
		if !errors.Is(err, unix.EIO) {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the file system is still shut down (%v): does another mount namespace hold it?", err)
		}
	}
}
