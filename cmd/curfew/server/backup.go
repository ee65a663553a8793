package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/time/rate"

	"github.com/curfew-id/curfew/cmd/curfew/archive"
	"github.com/curfew-id/curfew/storage/backup"
	"github.com/curfew-id/curfew/storage/bolt"
)

// writeBackup writes a backup of the store in the file, at most at the configured rate.
func (s *Server) writeBackup(ctx context.Context, w io.Writer) error {
	limited := newLimitedWriter(ctx, w, s.options.Config.Backup.Rate)
	return s.boltStore.Snapshot(ctx, func(snapshot bolt.Snapshot) error {
		h := backup.Header{
			Issuer:      s.options.Config.Issuer,
			Version:     s.options.Version,
			Created:     wallClock().UTC(),
			Schema:      bolt.Schema,
			StoreID:     snapshot.StoreID,
			Transaction: snapshot.Transaction,
			Sequence:    snapshot.Sequence,
			AuditLine:   snapshot.LastEvent.Seq,
			AuditHash:   snapshot.LastEvent.Hash,
			Size:        snapshot.Size,
		}
		return backup.Write(limited, h, snapshot.WriteTo)
	})
}

// limitedChunk is how many bytes a limitedWriter writes at a time.
const limitedChunk = 256 << 10

// limitedWriter writes at most at a rate, so that reading a backup leaves the disk to the requests.
type limitedWriter struct {
	ctx     context.Context // of the request for the backup
	out     io.Writer
	limiter *rate.Limiter
}

// newLimitedWriter returns a writer that writes at most that many megabytes a second.
func newLimitedWriter(ctx context.Context, out io.Writer, megabytes int) io.Writer {
	return &limitedWriter{ctx, out, rate.NewLimiter(rate.Limit(megabytes*1e6), limitedChunk)}
}

func (w *limitedWriter) Write(p []byte) (written int, err error) {
	for chunk := range slices.Chunk(p, limitedChunk) {
		if err := w.limiter.WaitN(w.ctx, len(chunk)); err != nil {
			return written, err
		}
		n, err := w.out.Write(chunk)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// The names of scheduled backups contain the time at which they were begun, in UTC.
const (
	backupPrefix     = "curfew-"
	backupSuffix     = ".backup"
	backupTimeLayout = "20060102T150405Z"
)

// backupRetry is how long after a failure a scheduled backup is tried again.
const backupRetry = 5 * time.Minute

// schedule writes backups into a folder, every interval, and keeps the latest ones.
type schedule struct {
	folder     string
	interval   time.Duration
	keep       int
	recipients []age.Recipient
	write      func(context.Context, io.Writer) error
}

// newSchedule returns the configured schedule, or nil if there is none. It creates the folder.
func (s *Server) newSchedule() (*schedule, error) {
	c := s.options.Config.Backup
	if c.Schedule == 0 {
		return nil, nil
	}
	recipients, err := archive.ParseRecipients(c.Recipients)
	if err != nil {
		return nil, fmt.Errorf("read backup.recipients: %w", err)
	}
	folder := cmp.Or(string(c.Folder), filepath.Join(string(s.options.Config.Data), "backups"))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create backup.folder: %w", err)
	}
	return &schedule{folder, c.Schedule, c.Keep, recipients, s.writeBackup}, nil
}

// runBackups writes scheduled backups until ctx ends. The next one is due an interval after the latest one in the
// folder, so that restarts neither add backups nor put them off.
func (s *Server) runBackups(ctx context.Context, plan *schedule) {
	for {
		due, err := plan.nextDue()
		if err == nil && !wallClock().Before(due) {
			var path string
			if path, err = plan.backUp(ctx, wallClock()); err == nil {
				s.log.InfoContext(ctx, "backup written", "file", path)
				continue
			}
		}
		pause := due.Sub(wallClock())
		if err != nil {
			if ctx.Err() == nil {
				s.log.ErrorContext(ctx, "scheduled backup failed", "folder", plan.folder, "err", err)
			}
			pause = backupRetry
		}
		timer := time.NewTimer(min(pause, plan.interval)) // the clock may be set back meanwhile
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// backUp writes a backup and removes those that are no longer kept.
func (p *schedule) backUp(ctx context.Context, at time.Time) (path string, err error) {
	name := backupPrefix + at.UTC().Format(backupTimeLayout) + backupSuffix
	if len(p.recipients) > 0 {
		name += ".age"
	}
	path = filepath.Join(p.folder, name)
	err = archive.WriteFile(path, p.recipients, func(w io.Writer) error { return p.write(ctx, w) })
	if err != nil {
		return path, err
	}
	names, err := p.list()
	if err != nil {
		return path, err
	}
	var failures []error
	for _, old := range names[:max(0, len(names)-p.keep)] {
		failures = append(failures, os.Remove(filepath.Join(p.folder, old)))
	}
	return path, errors.Join(failures...)
}

// nextDue returns when the next backup is due.
func (p *schedule) nextDue() (time.Time, error) {
	names, err := p.list()
	if err != nil || len(names) == 0 {
		return time.Time{}, err
	}
	latest, _ := backupTime(names[len(names)-1]) // list returns names with a time only
	return latest.Add(p.interval), nil
}

// list lists the scheduled backups in the folder, the oldest first.
func (p *schedule) list() (names []string, err error) {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, ok := backupTime(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// backupTime returns the time in the name of a scheduled backup.
func backupTime(name string) (time.Time, bool) {
	name = strings.TrimSuffix(name, ".age")
	text, isBackup := strings.CutSuffix(name, backupSuffix)
	text, hasPrefix := strings.CutPrefix(text, backupPrefix)
	at, err := time.Parse(backupTimeLayout, text)
	return at, isBackup && hasPrefix && err == nil
}
