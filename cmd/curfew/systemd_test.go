package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestServeNotifiesSystemd: a unit of Type=notify is active when the program serves, and not before.
func TestServeNotifiesSystemd(t *testing.T) {
	folder, err := os.MkdirTemp("", "systemd") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "notify")
	states, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer states.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "serve")
	command.Args[0] = "curfew" // by which testscript.Main knows the program to run
	command.Env = append(
		os.Environ(),
		"NOTIFY_SOCKET="+socket,
		"CURFEW_DATA="+filepath.Join(folder, "data"),
		fmt.Sprintf("CURFEW_ISSUER=http://localhost:%d", port),
	)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		command.Process.Kill()
		command.Wait()
	}()
	mustReceive := func(want string) {
		t.Helper()
		states.SetReadDeadline(time.Now().Add(30 * time.Second))
		buffer := make([]byte, 64)
		n, err := states.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Fatalf("got %q, %v, want %q", buffer[:n], err, want)
		}
	}
	mustReceive("READY=1")
	resp, err := http.Get(fmt.Sprintf("http://localhost:%d/readyz", port))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %d from /readyz after READY=1, want 200", resp.StatusCode)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	mustReceive("STOPPING=1")
}
