package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/curfew-id/curfew/conformance/suite"
)

// requestTimeout limits a request to the suite. Some of its answers wait up to 30 s, and the suite may be slow.
const requestTimeout = 2 * time.Minute

// executeRuns runs the selected plans.
func (o *options) executeRuns(ctx context.Context, runs []suite.Run, w io.Writer) error {
	if _, err := o.expectations(); err != nil {
		return err // report it before the runs, which can take hours
	}
	roots, err := suite.Roots(o.CA)
	if err != nil {
		return fmt.Errorf("read the suite's CA: %w", err)
	}
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		Timeout:   requestTimeout,
	}
	api := &suite.API{Base: o.Suite, Token: o.Token, HTTP: client}
	version, err := api.Version(ctx)
	if err != nil {
		return fmt.Errorf("ask the suite for its version: %w", err)
	}
	if err := o.makeOutDir(); err != nil {
		return err
	}
	browser := &suite.ChromiumBrowser{Path: o.Chromium, NoSandbox: o.NoSandbox, Suite: o.Suite}
	defer browser.Close()
	record := suite.Record{Suite: version, Command: o.commandLine()}
	runner := &suite.Runner{
		API:      api,
		Start:    o.starter(client),
		Browser:  browser,
		Modules:  o.Filter.SelectsModule,
		Repeat:   o.Repeat,
		Parallel: o.Parallel,
		Out:      o.Out,
		Progress: w,
	}
	if o.runsWholePlans() {
		runner.Save = func(run suite.Run, results []suite.Result) error {
			return suite.Record{Suite: version, Command: record.Command, Results: results}.Save(o.Out, run)
		}
	}
	fmt.Fprintf(w, "suite %s at %s, results in %s\n", version, o.Suite, o.Out)
	record.Results, err = runner.Run(ctx, runs)
	fmt.Fprintln(w)
	if len(record.Results) == 0 {
		return cmp.Or(err, fmt.Errorf("no module ran: none matches %q", o.Filter.Modules))
	}
	return joinErrors(err, o.evaluate([]suite.Record{record}, w))
}

// joinErrors returns evaluation itself if every plan ran, since exitCode compares it.
func joinErrors(run, evaluation error) error {
	if run == nil {
		return evaluation
	}
	return errors.Join(run, evaluation)
}

// runsWholePlans reports whether every module of the selected plans runs once. Only such results are saved.
func (o *options) runsWholePlans() bool { return len(o.Filter.Modules) == 0 && o.Repeat == 1 }

// makeOutDir makes the directory for results and logs.
func (o *options) makeOutDir() (err error) {
	if o.Out == "" {
		o.Out, err = os.MkdirTemp("", "curfew-conformance-")
		return err
	}
	return os.MkdirAll(o.Out, 0o700)
}

// starter returns a function that returns the OP for a run: a new one, or the one that -op-config names.
func (o *options) starter(client *http.Client) func(context.Context, suite.Run) (suite.Provider, error) {
	if o.Config == "" {
		return (&suite.Launcher{Binary: o.Binary, Dir: o.Out, Host: o.Host, Suite: o.Suite, SuiteCA: o.CA}).Start
	}
	op := &suite.OP{Binary: o.Binary, Config: o.Config, Base: strings.TrimSuffix(o.Issuer, "/"), HTTP: client}
	return func(context.Context, suite.Run) (suite.Provider, error) { return op, nil }
}

// commandLine returns the command line in the syntax of the shell.
func (o *options) commandLine() string {
	words := []string{"SUITE=" + o.Suite, "curfew-conformance"}
	for _, argument := range o.arguments {
		if strings.ContainsAny(argument, " '\"$*?[") {
			argument = "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
		}
		words = append(words, argument)
	}
	return strings.Join(words, " ")
}
