package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func mustList(t *testing.T, p *schedule) []string {
	t.Helper()
	names, err := p.list()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestScheduledBackupsKeepTheLatest(t *testing.T) {
	p := &schedule{
		folder:   t.TempDir(),
		interval: time.Hour,
		keep:     2,
		write:    func(context.Context, io.Writer) error { return nil },
	}
	other := filepath.Join(p.folder, "curfew-notes.backup")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)
	if due, err := p.nextDue(); err != nil || !due.IsZero() {
		t.Errorf("got %v and %v, want the first backup due at once", due, err)
	}
	for i := range 3 {
		if _, err := p.backUp(t.Context(), at.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	names := mustList(t, p)
	if len(names) != 2 || names[0] != "curfew-20261201T030000Z.backup" {
		t.Errorf("got %v, want the backups of 3 and 4 o'clock", names)
	}
	if due, err := p.nextDue(); err != nil || !due.Equal(at.Add(3*time.Hour)) {
		t.Errorf("got %v and %v, want an hour after the latest", due, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("got %v: a file that is no scheduled backup was removed", err)
	}
}

func TestFailedBackupRemovesNoEarlierOne(t *testing.T) {
	p := &schedule{folder: t.TempDir(), keep: 1, write: func(context.Context, io.Writer) error { return nil }}
	if _, err := p.backUp(t.Context(), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	p.write = func(context.Context, io.Writer) error { return errors.New("broke off") }
	if _, err := p.backUp(t.Context(), time.Unix(2e9, 0)); err == nil {
		t.Error("got no error")
	}
	entries, err := os.ReadDir(p.folder)
	if names := mustList(t, p); err != nil || len(names) != 1 || len(entries) != 1 {
		t.Errorf("got %v, want the earlier backup only", entries)
	}
}

func TestBackupKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if _, err := newLimitedWriter(t.Context(), io.Discard, 10).Write(make([]byte, 30e6)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 2900*time.Millisecond || took > 3100*time.Millisecond {
			t.Errorf("got 30 MB in %v at 10 MB a second, want about 3s", took)
		}
	})
}
