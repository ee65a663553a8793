// Command curfew is an OpenID Connect provider whose logout is real, and the tool to administer it.
//
//	curfew serve ──▶ config ──▶ storage/bolt ──▶ provider ──▶ listeners
//	curfew user, client, session … ──▶ admin.sock in the data folder ──▶ the serving process
//
// It contains the wiring, the configuration and the commands. Package provider contains the protocol rules.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(Main())
}

// Main runs the command that the process was started with and returns its exit code.
func Main() int {
	// After the first signal, stop restores the default handling: a second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: os.Environ()}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return p.reportError(root.ExecuteContext(ctx))
}
