package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// standby.go makes a second server that follows the first one by streaming replication, and lets it take over.

// A standby that lost its primary tries again after this time. The default is 5 s, and synchronous commits wait so
// long.
const reconnect = "wal_retrieve_retry_interval=100ms"

// StartStandby copies this server and starts the copy as its standby. port 0 takes a free port; through is the URL of
// this server for the replication, "" for URL.
func (s *Server) StartStandby(port int, through string) (*Server, error) {
	folder, err := os.MkdirTemp("", "curfew-pg-")
	if err != nil {
		return nil, err
	}
	standby := &Server{folder: folder, programs: s.programs, port: port, settings: append(s.settings, reconnect)}
	if through == "" {
		through = s.URL()
	}
	if err := standby.copyFrom(through); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := standby.Restart(); err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, nil
}

// copyFrom fills the data folder from a running server.
func (s *Server) copyFrom(url string) error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	if credential != nil {
		if err := os.Chown(s.folder, int(credential.Uid), int(credential.Gid)); err != nil {
			return err
		}
	}
	backup := exec.Command(
		filepath.Join(s.programs, "pg_basebackup"), "--dbname", url, "--pgdata", s.data(), "--checkpoint", "fast",
		"--wal-method", "stream", "--write-recovery-conf", "--no-sync",
	)
	backup.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	backup.Dir = s.folder
	if out, err := backup.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	return nil
}

// Promote lets a standby accept writes, and returns when it does.
func (s *Server) Promote() error {
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	promote := exec.Command(filepath.Join(s.programs, "pg_ctl"), "promote", "--wait", "--silent", "--pgdata", s.data())
	promote.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	promote.Dir = s.folder
	if out, err := promote.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_ctl promote: %w: %s", err, out)
	}
	return nil
}

// Execute runs a statement as Role and returns its rows, one a line.
func (s *Server) Execute(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	psql := exec.CommandContext(
		ctx, filepath.Join(s.programs, "psql"), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", s.URL(), "-c", sql,
	)
	psql.Dir = s.folder
	out, err := psql.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// ReplicateSynchronously acknowledges commits from now on only after the standby has them too.
func (s *Server) ReplicateSynchronously() error {
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := s.Execute(sql); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		n, err := s.Execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'")
		if err != nil || n == "1" {
			return err
		}
	}
	return errors.New("no synchronous standby has connected")
}
