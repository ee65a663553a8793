// Command curfew-demo shows Curfew on one machine: a provider on a temporary store, two users, and three
// applications. One application is notified of a logout from server to server, one through the browser, and one both
// ways; the page of that one makes it slow, refusing or broken. Ctrl-C stops everything and removes it.
//
// The applications are the relying parties of package conformance/rp. They stand in this program, not in the curfew
// binary.
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

// Main runs the demo that the command line asks for and returns its exit code.
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
	// The second signal ends the process at once: stop restores its default effect.
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
