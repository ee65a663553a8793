package server

import (
	"context"
	"net"
	"os/user"
	"strconv"
	"syscall"

	"github.com/curfew-id/curfew/provider/admin"
)

// withPeerUser returns a context with the OS user at the other end of a connection to the admin socket (unix(7),
// SO_PEERCRED), for the audit trail. The kernel recorded the user when the connection was made, so a caller cannot
// choose it.
func withPeerUser(ctx context.Context, conn net.Conn) context.Context {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *syscall.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return ctx
	}
	return admin.WithCaller(ctx, userName(peer.Uid))
}

// userName returns the name of an OS user, or "uid N" if the system has no name, as in many containers.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
