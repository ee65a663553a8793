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

	"github.com/curfew-id/curfew/provider/filemode"
)

// The limits of a request. Pages and token requests are small and quick.
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
		// Failed handshakes are the clients' mistakes, so they are logged at debug.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listenError adds the setting that names the address to an error of net.Listen.
func listenError(setting string, err error) error {
	hint := "`" + setting + "` in the configuration says where to listen"
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "another program has that address: stop it, or choose another by `" + setting + "` in the configuration"
	}
	return &Error{Err: fmt.Errorf("listen: %w", err), Hint: hint}
}

// socketName is the name of the admin socket in the data folder.
const socketName = "admin.sock"

// maxSocketPath is the longest path that fits into struct sockaddr_un, without its final zero (unix(7)).
const maxSocketPath = 107

// listenSocket creates the admin socket, which only this OS user can open. It replaces the socket of a killed process.
// The caller holds the lock of the store, so no running process serves that socket.
func listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf(
			"the socket's path %s has %d bytes, the system allows %d: use a data folder with a shorter path",
			path,
			len(path),
			maxSocketPath,
		)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("stat the admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is no socket, but the admin socket belongs there: move it away", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of a stopped process: %w", err)
		}
	}
	l, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("listen on the admin socket: %w", err)
	}
	return l, nil
}

// ensureDataFolder creates the data folder if it is missing. It refuses a folder that other OS users can write to.
func ensureDataFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("stat the data folder: %w", err)
	}
	if err := filemode.CheckFolder(path, info); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// SocketPath returns the path of the admin socket in a data folder. The commands call the serving process through it.
func SocketPath(data string) string { return filepath.Join(data, socketName) }

// requireTrustedProxy refuses requests that do not come from a trusted proxy: this listener has no TLS, so any other
// peer would send secrets in the clear. Health checks are allowed from any peer. base is the path of the issuer.
//
// The log has the address of a refused peer: often the peer is the proxy, and the operator forgot to list its address.
func requireTrustedProxy(next http.Handler, base string, proxies []netip.Prefix, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isHealthCheck := r.URL.Path == base+"/healthz" || r.URL.Path == base+"/readyz"
		if !isHealthCheck && !isTrustedProxy(r.RemoteAddr, proxies) {
			log.WarnContext(r.Context(), "request refused: peer not in trusted_proxies", "peer", r.RemoteAddr)
			http.Error(
				w,
				"This listener is for the proxy that ends TLS. Its address has to be in trusted_proxies.",
				http.StatusForbidden,
			)
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
	for _, network := range proxies {
		if network.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}
