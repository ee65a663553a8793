package suite

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// moduleWatcher does for one running module what the module waits for.
type moduleWatcher struct {
	*planRun
	id     string
	result *Result
	window Window // opened when first needed

	configuredSince time.Time // since when the module has been CONFIGURED
	idleSince       time.Time // since when a placeholder is open and no browser works on it
	lastProgress    time.Time // when the log last grew, by our clock
	lastEntry       int64     // the log's last entry, by the suite's clock
}

// waitForEnd returns when the module has ended, or with an error when it does not.
func (w *moduleWatcher) waitForEnd(ctx context.Context) error {
	wait := pollInterval
	if w.run.Browser != "" {
		wait = pollInterval / 5 // every page waits for us
	}
	for {
		ended, err := w.API.WaitFor(ctx, w.id, wait, Finished, Interrupted)
		if err != nil || ended {
			return err
		}
		info, err := w.API.Info(ctx, w.id)
		if err != nil {
			return err
		}
		switch info.Status {
		case Configured:
			err = w.rotateAndContinue(ctx)
		case Waiting:
			err = w.visitPages(ctx)
		}
		if err != nil {
			return err
		}
		if err := w.checkStall(ctx); err != nil {
			return err
		}
	}
}

// rotateAndContinue rotates the OP's signing key and starts a module that stays CONFIGURED: it has read the old keys
// and will read the new.
func (w *moduleWatcher) rotateAndContinue(ctx context.Context) error {
	switch {
	case w.configuredSince.IsZero():
		w.configuredSince = time.Now()
		return nil
	case time.Since(w.configuredSince) < configuredDelay:
		return nil
	}
	if err := w.op.RotateKey(ctx); err != nil {
		return fmt.Errorf("rotate signing key: %w", err)
	}
	w.configuredSince = time.Time{}
	return w.API.Continue(ctx, w.id)
}

// visitPages visits what the suite's own browser has no entry for, and fills placeholders that are left open.
func (w *moduleWatcher) visitPages(ctx context.Context) error {
	wanted, err := w.API.BrowserRequests(ctx, w.id)
	if errors.Is(err, errInternal) {
		return nil // asked again at the next glance; the module stalls if it lasts
	}
	if err != nil {
		return err
	}
	open, err := w.API.Placeholders(ctx, w.id)
	if err != nil {
		return err
	}
	for _, visit := range wanted.URLs {
		// Marked first, so that the same URL wanted again later counts as another visit.
		if err := w.API.Visited(ctx, w.id, visit.URL); err != nil {
			return err
		}
		if err := w.ensureWindow(ctx); err != nil {
			return fmt.Errorf("visit %s: %w", visit.URL, err)
		}
		picture, err := w.window.Visit(ctx, visit.Method, visit.URL, len(open) > 0)
		if err != nil {
			return fmt.Errorf("visit %s: %w", visit.URL, err)
		}
		if len(open) > 0 && picture != nil {
			if err := w.upload(ctx, open[0], picture); err != nil {
				return err
			}
			open = open[1:]
		}
	}
	return w.fillPlaceholder(ctx, open, len(wanted.URLs)+len(wanted.Runners) > 0)
}

// fillPlaceholder hands in the last page that the suite's browser was shown, for a placeholder that no entry filled.
func (w *moduleWatcher) fillPlaceholder(ctx context.Context, open []string, busy bool) error {
	if len(open) == 0 || busy {
		w.idleSince = time.Time{}
		return nil
	}
	if w.idleSince.IsZero() {
		w.idleSince = time.Now()
	}
	if time.Since(w.idleSince) < placeholderDelay {
		return nil
	}
	w.idleSince = time.Time{}
	entries, err := w.API.Log(ctx, w.id, 0)
	if err != nil {
		return err
	}
	var page string
	for _, e := range entries {
		if e.Page != "" {
			page = e.Page
		}
	}
	if page == "" {
		return nil // nothing was shown yet
	}
	if err := w.ensureWindow(ctx); err != nil {
		return fmt.Errorf("fill placeholder: %w", err)
	}
	picture, err := w.window.Draw(ctx, page)
	if err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	return w.upload(ctx, open[0], picture)
}

func (w *moduleWatcher) upload(ctx context.Context, placeholder string, picture []byte) error {
	err := w.API.Upload(ctx, w.id, placeholder, "data:image/png;base64,"+base64.StdEncoding.EncodeToString(picture))
	if err != nil {
		return fmt.Errorf("upload picture: %w", err)
	}
	return nil
}

func (w *moduleWatcher) ensureWindow(ctx context.Context) (err error) {
	if w.window != nil {
		return nil
	}
	if w.Browser == nil {
		return errors.New("no browser at hand")
	}
	w.window, err = w.Browser.Open(ctx, w.run, w.user, w.op.Issuer())
	return err
}

// checkStall fails a module that has logged nothing for too long.
func (w *moduleWatcher) checkStall(ctx context.Context) error {
	if time.Since(w.lastProgress) < StallTimeout/4 {
		return nil // asked seldom: a log is large
	}
	entries, err := w.API.Log(ctx, w.id, w.lastEntry)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Time > w.lastEntry {
			w.lastEntry, w.lastProgress = e.Time, time.Now()
		}
	}
	if quiet := time.Since(w.lastProgress); quiet >= StallTimeout {
		return fmt.Errorf("logged nothing for %s", quiet.Round(time.Second))
	}
	return nil
}

func (w *moduleWatcher) close() {
	if w.window != nil {
		w.window.Close()
	}
}
