// Command curfew-conformance runs the OpenID Foundation's conformance suite against Curfew; conformance/README.md
// shows how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var errRejected = errors.New("not accepted")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Getenv, os.Stderr)
	if err == nil {
		err = o.run(ctx, os.Stdout)
	}
	code := exitCode(err)
	if code == exitNotRun {
		fmt.Fprintln(os.Stderr, "curfew-conformance:", err)
	}
	os.Exit(code)
}

// The exit codes.
const (
	exitAccepted = 0
	exitRejected = 1
	exitNotRun   = 2 // a plan could not be run, or the command line is wrong
)

// exitCode returns the exit code for an error of parse or run. If a plan could not be run and results were rejected, it
// is exitNotRun: run then returns errRejected joined with another error.
func exitCode(err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitAccepted
	case err == errRejected: // the rejected results are already printed
		return exitRejected
	}
	return exitNotRun
}
