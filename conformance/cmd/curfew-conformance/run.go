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

// requestTimeout is how long the suite may hold a request: it waits up to 30 s by itself, and may be slow.
const requestTimeout = 2 * time.Minute

// executeRuns runs the selected plans.
func (o *options) executeRuns(ctx context.Context, runs []suite.Run, w io.Writer) error {
	if _, err := o.expectations(); err != nil {
		return err // not only after an hour
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
		API: api, Start: o.starter(client), Browser: browser,
		Modules: o.Filter.SelectsModule, Repeat: o.Repeat, Parallel: o.Parallel, Out: o.Out, Progress: w,
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

// runsWholePlans reports whether each selected plan runs as it is: only that is kept to be summed up later.
func (o *options) runsWholePlans() bool { return len(o.Filter.Modules) == 0 && o.Repeat == 1 }

// makeOutDir makes the directory for what the run leaves behind.
func (o *options) makeOutDir() (err error) {
	if o.Out == "" {
		o.Out, err = os.MkdirTemp("", "curfew-conformance-")
		return err
	}
	return os.MkdirAll(o.Out, 0o700)
}

// starter says which OP a run gets: one of its own, or the one that runs.
func (o *options) starter(client *http.Client) func(context.Context, suite.Run) (suite.Provider, error) {
	if o.Config == "" {
		return (&suite.Launcher{Binary: o.Binary, Dir: o.Out, Host: o.Host, Suite: o.Suite, SuiteCA: o.CA}).Start
	}
	op := &suite.OP{Binary: o.Binary, Config: o.Config, Base: strings.TrimSuffix(o.Issuer, "/"), HTTP: client}
	return func(context.Context, suite.Run) (suite.Provider, error) { return op, nil }
}

// commandLine is the command as one would type it again.
func (o *options) commandLine() string {
	words := []string{"SUITE=" + o.Suite, "curfew-conformance"}
	for _, a := range o.arguments {
		if strings.ContainsAny(a, " '\"$*?[") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
