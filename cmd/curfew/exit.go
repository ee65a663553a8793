package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/server"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // a wrong command line, an invalid configuration, input that cannot be read
	exitNotFound    = 3
	exitUnreachable = 4 // no server answers at the socket
)

// exitError is an error with its exit code and, optionally, a hint at what to do.
type exitError struct {
	code int
	err  error
	hint string
}

func (f *exitError) Error() string { return f.err.Error() }
func (f *exitError) Unwrap() error { return f.err }

// usageErrorf is an error in the command line.
func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// reportError writes an error to stderr and returns its exit code.
func (p *program) reportError(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.stderr, "curfew: interrupted")
		return exitFailed
	}
	f := (*exitError)(nil)
	errors.As(err, &f)
	if serverErr := (*server.Error)(nil); f == nil && errors.As(err, &serverErr) {
		f = &exitError{code: exitFailed, err: err, hint: serverErr.Hint}
	}
	if problems := (config.Problems)(nil); errors.As(err, &problems) {
		for _, problem := range problems {
			fmt.Fprintln(p.stderr, problem)
		}
		if f != nil && f.hint != "" {
			fmt.Fprintln(p.stderr, "curfew: hint: "+f.hint)
		}
		return exitUsage
	}
	code := exitFailed
	if f != nil {
		code = f.code
	}
	fmt.Fprintln(p.stderr, "curfew: error: "+strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if f != nil && f.hint != "" {
		fmt.Fprintln(p.stderr, "curfew: hint: "+f.hint)
	}
	return code
}
