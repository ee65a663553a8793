package suite

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// pollInterval is how long the runner waits for a module's end before it reads the module's state.
	pollInterval = time.Second
	// configuredDelay is how long a module must stay CONFIGURED until it counts as one that waits to be started. Other
	// modules are in that state for a moment only.
	configuredDelay = 3 * time.Second
	// placeholderDelay is how long a placeholder may stay open without a running browser before the runner fills it.
	placeholderDelay = 5 * time.Second
	// StallTimeout is how long a module may log nothing. Two modules pause by design, for 30 s and 60 s.
	StallTimeout = 100 * time.Second
	// ModuleTimeout limits the time of one module.
	ModuleTimeout = 240 * time.Second
)

// planRun is one running plan.
type planRun struct {
	*Runner
	run      Run
	plan     string
	op       Provider
	user     User
	rotation sync.RWMutex // keeps key rotation and other modules apart
}

// runModule runs one module to its end. An error of the runner counts as a failure of the module.
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
	timeout := fmt.Errorf("did not end within %s", ModuleTimeout)
	limited, cancel := context.WithTimeoutCause(ctx, ModuleTimeout, timeout)
	defer cancel()
	w := &moduleWatcher{planRun: d, id: result.ID, result: result, lastProgress: time.Now()}
	defer w.close()
	watchErr := w.waitForEnd(limited)
	if watchErr != nil {
		if cause := context.Cause(limited); cause != nil {
			watchErr = cause
		}
		// A module that still runs would receive the requests of the next module with its alias.
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

// rotateKeys is the module that needs a rotation of the OP's signing key.
const rotateKeys = "oidcc-server-rotate-keys"

// readResult reads the result and the findings from the suite.
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
