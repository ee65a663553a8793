// Command curfew-demo shows Curfew on one machine: a provider on a temporary store, two users and three apps. One app
// is notified of a logout from server to server, one through the browser, and one both ways. The page of the third
// app can make it slow, refusing or broken. Ctrl-C stops everything and removes it.
//
// The apps are the relying parties of package conformance/rp. They are part of this program, not of the curfew binary.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	os.Exit(Main())
}

// Main runs the demo and returns the exit code.
func Main() int {
	port := flag.Int("port", 9080, "the provider's `port`; the applications use the next one; 0 takes any free ports")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "curfew-demo: unexpected arguments; --help lists the flags")
		return 2
	}
	executable, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "curfew-demo: find the program:", err)
		return 1
	}
	// After the first signal, stop restores the default handling: a second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	program := filepath.Join(filepath.Dir(executable), "curfew")
	if err := run(ctx, *port, program, os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "curfew-demo:", err)
		return 1
	}
	return 0
}
