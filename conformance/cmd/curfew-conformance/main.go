// Command curfew-conformance runs the OpenID Foundation's conformance suite against Curfew; conformance/README.md shows how.
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
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case err == errRejected:
		os.Exit(1) // said already
	default:
		fmt.Fprintln(os.Stderr, "curfew-conformance:", err)
		os.Exit(2)
	}
}
