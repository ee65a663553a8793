//go:build unix

package server

import (
	"net"
	"syscall"
)

// listenPrivately listens on a Unix socket that only this OS user can open. The umask sets the mode when the socket is
// created: with a chmod afterwards, other users could connect in the meantime.
func listenPrivately(path string) (net.Listener, error) {
	oldMask := syscall.Umask(0o177)
	defer syscall.Umask(oldMask)
	return net.Listen("unix", path)
}
