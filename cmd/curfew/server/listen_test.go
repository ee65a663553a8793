package server

import (
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketIsForItsOwnerOnlyAndReplacesOneLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), socketName)
	leftover, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	leftover.(*net.UnixListener).SetUnlinkOnClose(false) // as kill -9 leaves it
	leftover.Close()

	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != fs.ModeSocket|0o600 {
		t.Errorf("got mode %v, want Srw-------", got)
	}
}

func TestSocketNeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), socketName)
	mustWriteFile(t, path, "precious")
	if l, err := listenSocket(path); err == nil {
		l.Close()
		t.Error("got a listener in place of a file")
	}
}

func TestSocketPathTooLongIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("a", 100), socketName)
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "the system allows 107") {
		t.Errorf("got %v", err)
	}
}

func TestDataFolderThatOthersCanWriteIsRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	if err := ensureDataFolder(folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want mode 0700", info, err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := ensureDataFolder(folder); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}

func TestPlainListenerAnswersTrustedProxiesOnly(t *testing.T) {
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var lines strings.Builder
	log := slog.New(slog.NewTextHandler(&lines, nil))
	h := requireTrustedProxy(
		inner,
		"/base",
		[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		log,
	)
	for _, c := range []struct {
		remote, path string
		want         int
	}{
		{"10.1.2.3:4000", "/authorize", 204},
		{"[::ffff:10.1.2.3]:4000", "/authorize", 204},
		{"[::1]:4000", "/authorize", 204},
		{"192.0.2.1:4000", "/authorize", 403},
		{"192.0.2.1:4000", "/login/healthz", 403},
		{"@", "/authorize", 403},
		{"192.0.2.1:4000", "/base/healthz", 204},
		{"192.0.2.1:4000", "/base/readyz", 204},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		w := httptest.NewRecorder()
		lines.Reset()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s from %s: got %d, want %d", c.path, c.remote, w.Code, c.want)
		}
		if named := strings.Contains(lines.String(), "peer="+c.remote); named != (c.want == 403) {
			t.Errorf("%s from %s: logged %q", c.path, c.remote, lines.String())
		}
	}
}
