//go:build unix

package server

import (
	"net"
	"syscall"
)

// listenPrivately listens on a Unix socket that only this OS user can open. The umask sets the mode at creation: a
// chmod afterwards would leave a moment in which other users can connect.
func listenPrivately(path string) (net.Listener, error) {
	oldMask := syscall.Umask(0o177)
	defer syscall.Umask(oldMask)
	return net.Listen("unix", path)
}
