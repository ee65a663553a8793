package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The bounds of a request. Pages and token requests are small and quick; who is slower holds a connection, not a worker.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 75 * time.Second
	maxHeaderBytes    = 64 << 10
)

func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		// Broken handshakes and the like are what strangers do, nothing to look at.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listenError says which setting names an address that cannot be listened on.
func listenError(setting string, err error) error {
	hint := "`" + setting + "` in the configuration says where to listen"
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "another program has that address: stop it, or choose another by `" + setting + "` in the configuration"
	}
	return &Error{Err: fmt.Errorf("listen: %w", err), Hint: hint}
}

// socketName is the administrators' socket in the data folder.
const socketName = "admin.sock"

// maxSocketPath is the most that struct sockaddr_un takes, beside the zero at its end (unix(7)).
const maxSocketPath = 107

// listenSocket makes the administrators' socket, for this user only. A socket that a killed process left is replaced: the store's lock,
// which the caller holds, proves that nobody serves it.
func listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket's path %s has %d bytes, the system allows %d: use a data folder with a shorter path", path, len(path), maxSocketPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("look at the administrators' socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is in the way of the administrators' socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket that was left behind: %w", err)
		}
	}
	// The mode has to be right from the first moment, so chmod would be too late.
	oldMask := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(oldMask)
	if err != nil {
		return nil, fmt.Errorf("listen on the administrators' socket: %w", err)
	}
	return l, nil
}

// ensureDataFolder makes sure that the data folder is there and nobody else's business.
func ensureDataFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to the data folder %s (mode %v): chmod 700 it", path, info.Mode().Perm())
	}
	return nil
}

// SocketPath is the path of the admin socket in a data folder: there the commands reach the serving process.
func SocketPath(data string) string { return filepath.Join(data, socketName) }

// requireTrustedProxy answers nobody but trusted proxies, since the issuer is https and this listener is not: whoever else gets here would send
// secrets in the clear. Health checks say nothing secret and come from anywhere. base is the issuer's path.
// The log says who was refused: mostly it is the proxy, from an address that its operator did not expect.
func requireTrustedProxy(next http.Handler, base string, proxies []netip.Prefix, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; path != base+"/healthz" && path != base+"/readyz" && !isTrustedProxy(r.RemoteAddr, proxies) {
			log.WarnContext(r.Context(), "refused: not in trusted_proxies", "peer", r.RemoteAddr)
			http.Error(w, "This listener is for the proxy that ends TLS. Its address has to be in trusted_proxies.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isTrustedProxy(remote string, proxies []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range proxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}
