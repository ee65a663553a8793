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

// exitError is an error with its exit code and, optionally, a hint how to fix it.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usageErrorf returns an error in the command line, with exit code 2.
func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// reportError writes an error and its hint to stderr and returns the exit code.
func (p *program) reportError(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.stderr, "curfew: interrupted")
		return exitFailed
	}
	code, hint := exitCodeAndHint(err)
	var problems config.Problems
	if errors.As(err, &problems) {
		code = exitUsage
		for _, problem := range problems {
			fmt.Fprintln(p.stderr, problem)
		}
	} else {
		fmt.Fprintln(p.stderr, "curfew: error: "+strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	if hint != "" {
		fmt.Fprintln(p.stderr, "curfew: hint: "+hint)
	}
	return code
}

func exitCodeAndHint(err error) (code int, hint string) {
	var exitErr *exitError
	if errors.As(err, &exitErr) {
		return exitErr.code, exitErr.hint
	}
	var serverErr *server.Error
	if errors.As(err, &serverErr) {
		return exitFailed, serverErr.Hint
	}
	return exitFailed, ""
}
