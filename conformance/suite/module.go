package suite

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// glance is how long to wait for a module's end before looking what it wants.
	glance = time.Second
	// settled is how long a module must stay CONFIGURED before it counts as one that waits to be started. The others pass
	// through that state.
	settled = 3 * time.Second
	// overdue is how long a placeholder may stay open with no browser at work before the runner fills it.
	overdue = 5 * time.Second
	// Stall is how long a module may log nothing. Two modules rest on purpose, for 30 s and 60 s.
	Stall = 100 * time.Second
	// Limit is how long a module may run at all.
	Limit = 240 * time.Second
)

// drive is one plan at work.
type drive struct {
	*Runner
	run    Run
	plan   string
	op     Provider
	person Person
	keys   sync.RWMutex // a rotation must not fall into another module
}

// module runs one module to its end. What goes wrong on our side is a failure of the module, too.
func (d *drive) module(ctx context.Context, m Module) Result {
	result := Result{Run: d.run, Module: m, Result: Failed}
	start := time.Now()
	if err := d.drive(ctx, m, &result); err != nil {
		result.Result = Failed
		result.Failures = append(result.Failures, Finding{"runner", err.Error()})
	}
	result.Took = since(start)
	return result
}

func (d *drive) drive(ctx context.Context, m Module, result *Result) (err error) {
	if m.Name == rotateKeys {
		d.keys.Lock()
		defer d.keys.Unlock()
	} else {
		d.keys.RLock()
		defer d.keys.RUnlock()
	}
	if result.ID, err = d.API.StartModule(ctx, d.plan, m); err != nil {
		return fmt.Errorf("start module: %w", err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, Limit, fmt.Errorf("did not end within %s", Limit))
	defer cancel()
	w := &watch{drive: d, id: result.ID, result: result, moved: time.Now()}
	defer w.close()
	watchErr := w.untilEnd(limited)
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
	if err := d.read(ctx, result); err != nil {
		return err
	}
	return watchErr
}

// rotateKeys is the module during which the OP's signing key is rotated.
const rotateKeys = "oidcc-server-rotate-keys"

// read takes the result and the findings from the suite.
func (d *drive) read(ctx context.Context, result *Result) error {
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
