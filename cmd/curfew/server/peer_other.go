//go:build !linux

package server

import (
	"context"
	"net"
)

// withPeerUser returns ctx unchanged: SO_PEERCRED, which shows the OS user at the other end of a socket, exists only on
// Linux.
func withPeerUser(ctx context.Context, _ net.Conn) context.Context { return ctx }
