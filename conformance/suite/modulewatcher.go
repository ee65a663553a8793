package suite

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// moduleWatcher waits for the end of one module and does the visits and uploads that the module waits for.
type moduleWatcher struct {
	*planRun
	id     string
	result *Result
	window Window // nil before the first visit

	configuredSince time.Time // when the module became CONFIGURED; zero: it is in another state
	idleSince       time.Time // when a placeholder was first seen open without a running browser; zero: none
	lastProgress    time.Time // when the log last grew, by this machine's clock
	lastEntry       int64     // the time of the log's last entry, by the suite's clock
}

// waitForEnd waits until the module has ended. It returns an error if the module stalls.
func (w *moduleWatcher) waitForEnd(ctx context.Context) error {
	wait := pollInterval
	if w.run.Browser != "" {
		wait = pollInterval / 5 // the runner must visit every page
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

// rotateAndContinue rotates the OP's signing key and starts a module that stays CONFIGURED. That module has read the
// old keys and will now read the new ones.
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

// visitPages visits the URLs for which the suite's own browser has no script, and fills open placeholders.
func (w *moduleWatcher) visitPages(ctx context.Context) error {
	wanted, err := w.API.BrowserRequests(ctx, w.id)
	if errors.Is(err, errInternal) {
		return nil // the next poll asks again; if the error persists, the module stalls
	}
	if err != nil {
		return err
	}
	open, err := w.API.Placeholders(ctx, w.id)
	if err != nil {
		return err
	}
	for _, visit := range wanted.URLs {
		// The visit is reported before it begins: if the module requests the URL again, that is another visit.
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

// fillPlaceholder uploads the last page that the suite's browser got, for a placeholder that no script has filled.
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
		return nil // the browser has not got a page yet
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
		return nil // logs are large, so they are not read at every poll
	}
	entries, err := w.API.Log(ctx, w.id, w.lastEntry)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Time > w.lastEntry {
			w.lastEntry = e.Time
			w.lastProgress = time.Now()
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
