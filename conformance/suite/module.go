package suite

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// pollInterval is how long to wait for a module's end before looking what it wants.
	pollInterval = time.Second
	// configuredDelay is how long a module must stay CONFIGURED before it counts as one that waits to be started. The
	// others pass through that state.
	configuredDelay = 3 * time.Second
	// placeholderDelay is how long a placeholder may stay open with no browser at work before the runner fills it.
	placeholderDelay = 5 * time.Second
	// StallTimeout is how long a module may log nothing. Two modules rest on purpose, for 30 s and 60 s.
	StallTimeout = 100 * time.Second
	// ModuleTimeout is how long a module may run at all.
	ModuleTimeout = 240 * time.Second
)

// planRun is one plan at work.
type planRun struct {
	*Runner
	run      Run
	plan     string
	op       Provider
	user     User
	rotation sync.RWMutex // a rotation must not fall into another module
}

// runModule runs one module to its end. What goes wrong on our side is a failure of the module, too.
func (d *planRun) runModule(ctx context.Context, m Module) Result {
	result := Result{Run: d.run, Module: m, Result: Failed}
	start := time.Now()
	if err := d.execute(ctx, m, &result); err != nil {
		result.Result = Failed
		result.Failures = append(result.Failures, Finding{"runner", err.Error()})
	}
	result.Took = elapsed(start)
	return result
}

func (d *planRun) execute(ctx context.Context, m Module, result *Result) (err error) {
	if m.Name == rotateKeys {
		d.rotation.Lock()
		defer d.rotation.Unlock()
	} else {
		d.rotation.RLock()
		defer d.rotation.RUnlock()
	}
	if result.ID, err = d.API.StartModule(ctx, d.plan, m); err != nil {
		return fmt.Errorf("start module: %w", err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, ModuleTimeout, fmt.Errorf("did not end within %s", ModuleTimeout))
	defer cancel()
	w := &moduleWatcher{planRun: d, id: result.ID, result: result, lastProgress: time.Now()}
	defer w.close()
	watchErr := w.waitForEnd(limited)
	if watchErr != nil {
		if cause := context.Cause(limited); cause != nil {
			watchErr = cause
		}
		// The module must not live on, whatever ended our wait: it would meet the next one of its alias.
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := d.API.Stop(stopping, result.ID); err != nil {
			return fmt.Errorf("%w; stop module: %w", watchErr, err)
		}
	}
	if err := d.readResult(ctx, result); err != nil {
		return err
	}
	return watchErr
}

// rotateKeys is the module during which the OP's signing key is rotated.
const rotateKeys = "oidcc-server-rotate-keys"

// readResult takes the result and the findings from the suite.
func (d *planRun) readResult(ctx context.Context, result *Result) error {
	info, err := d.API.Info(ctx, result.ID)
	if err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	switch {
	case info.Status == Interrupted && info.Result != Skipped:
		result.Result = Failed
	case info.Result == "" || info.Result == "UNKNOWN":
		result.Result = Failed
	default:
		result.Result = info.Result
	}
	entries, err := d.API.Log(ctx, result.ID, 0)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for _, e := range entries {
		switch e.Result {
		case "WARNING":
			result.Warnings = append(result.Warnings, Finding{e.Source, e.Message})
		case "FAILURE":
			result.Failures = append(result.Failures, Finding{e.Source, e.Message})
		}
		if e.Image != "" {
			result.Uploaded++
		}
	}
	return nil
}
