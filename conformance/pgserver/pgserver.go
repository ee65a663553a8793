// Package pgserver starts PostgreSQL servers of Debian's packages for tests: each on a port of its own, with its files
// in a temporary folder, so that nothing has to be set up by hand.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrMissing: PostgreSQL is not installed. .ci/deps installs it.
var ErrMissing = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

// The role of the tests, who may do everything, and its password.
const (
	Role     = "curfew"
	Password = "test-only"
)

// startTimeout is how long a server may take to accept connections.
const startTimeout = 30 * time.Second

// Server is a running server.
type Server struct {
	folder   string // has data and the log
	programs string // the folder of initdb and postgres
	port     int
	settings []string
	process  *exec.Cmd
	exited   chan struct{}
}

// Start makes a new server and starts it. settings are lines NAME=VALUE beyond the defaults, which give up durability
// for speed.
func Start(settings ...string) (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "curfew-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, programs: programs, settings: settings}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := s.Restart(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// findPrograms returns the folder with the programs of the newest PostgreSQL.
func findPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// version returns the number in a path like /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 if it is none
	return n
}

// create makes the files of a new server.
func (s *Server) create() error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	if credential != nil {
		if err := os.Chown(s.folder, int(credential.Uid), int(credential.Gid)); err != nil {
			return err
		}
	}
	passwordFile := filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(Password), 0o644); err != nil {
		return err
	}
	initdb := exec.Command(
		filepath.Join(s.programs, "initdb"), "--pgdata", s.data(), "--username", Role, "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
	)
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	initdb.Dir = s.folder
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// unprivileged returns whom the server runs as: PostgreSQL refuses root. nil: as this process does.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres") // Debian's package makes it
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// Restart starts a server that does not run, on the port that it had before.
func (s *Server) Restart() error {
	if s.port == 0 {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
	}
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{
		"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.folder, "-h", "127.0.0.1",
		"-c", "max_connections=300", "-c", "shared_buffers=64MB",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=on",
		// Faster than the lock_timeout of the store, so that a deadlock shows as one.
		"-c", "deadlock_timeout=200ms",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.process = exec.Command(filepath.Join(s.programs, "postgres"), args...)
	s.process.Dir = s.folder
	s.process.Stdout, s.process.Stderr = log, log
	// The server ends with the test, however that ends.
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGQUIT}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	process := s.process
	s.exited = exited
	go func() {
		_ = process.Wait() // how it ended shows in its log
		close(exited)
	}()
	return s.awaitReady()
}

// awaitReady waits until the server accepts connections.
func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		check := exec.CommandContext(
			ctx, filepath.Join(s.programs, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port),
		)
		if check.Run() == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended: %s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not accept connections: %s", s.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// logTail returns the last lines of the server's log.
func (s *Server) logTail() []byte {
	text, _ := os.ReadFile(filepath.Join(s.folder, "log")) // without it, the error says less
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-10):], []byte("\n"))
}

// freePort returns a port that nothing listens on.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// URL returns the URL of the server's database, with the password.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres", Role, Password, s.port)
}

// Port returns the port on which the server listens.
func (s *Server) Port() int { return s.port }

// Stop ends the server and its connections, with a checkpoint.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill ends the server at once, as a crash does: at the next start it recovers. (SIGQUIT, PostgreSQL's immediate
// shutdown. SIGKILL would leave its other processes behind.)
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

func (s *Server) signal(signal syscall.Signal) {
	if s.process == nil || s.process.Process == nil {
		return
	}
	_ = s.process.Process.Signal(signal) // it may have ended already
	<-s.exited
}

// Close ends the server and removes its files.
func (s *Server) Close() error {
	s.Kill()
	return os.RemoveAll(s.folder)
}
