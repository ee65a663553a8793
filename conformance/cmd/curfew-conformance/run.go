package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/curfew-id/curfew/conformance/suite"
)

// patience is how long the suite may hold a request: it waits up to 30 s by itself, and may be slow.
const patience = 2 * time.Minute

// run runs the selected plans, prints the table, and fails with errRejected if a result is not accepted.
func (o *options) run(ctx context.Context, w io.Writer) error {
	runs := o.runs()
	if o.List {
		for _, r := range runs {
			fmt.Fprintf(w, "%s\t%s\n", r.Plan, r.Title())
		}
		return nil
	}
	expected, err := o.expectations()
	if err != nil {
		return err
	}
	roots, err := suite.Roots(o.CA)
	if err != nil {
		return fmt.Errorf("read the suite's CA: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: patience}
	api := &suite.API{Base: o.Suite, Token: o.Token, HTTP: client}
	version, err := api.Version(ctx)
	if err != nil {
		return fmt.Errorf("ask the suite for its version: %w", err)
	}
	if err := o.makeOut(); err != nil {
		return err
	}
	browser := &suite.ChromiumBrowser{Path: o.Chromium, NoSandbox: o.NoSandbox, Suite: o.Suite}
	defer browser.Close()
	runner := &suite.Runner{
		API: api, Start: o.start(client), Browser: browser,
		Modules: o.Filter.Module, Repeat: o.Repeat, Parallel: o.Parallel, Out: o.Out, Progress: w,
	}
	fmt.Fprintf(w, "suite %s at %s, exports in %s\n", version, o.Suite, o.Out)
	results, err := runner.Run(ctx, runs)
	rows := suite.Rows(results)
	fmt.Fprintln(w)
	if err := errors.Join(err, suite.WriteTable(w, rows)); err != nil {
		return err
	}
	if len(results) == 0 {
		return fmt.Errorf("no module matches %q", o.Filter.Modules)
	}
	verdict := expected.Judge(results, o.Filter.Everything() && !o.Real)
	if o.Results != "" {
		report := suite.Report{Suite: version, Command: o.commandLine(), Day: time.Now(), Rows: rows, Expectations: expected, Verdict: verdict}
		if err := writeFile(o.Results, report.WriteMarkdown); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return conclude(w, verdict)
}

// expectations reads what is tolerated; without the file it is nothing.
func (o *options) expectations() (suite.Expectations, error) {
	file, err := os.Open(o.Expected)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return suite.ReadExpectations(file)
}

// makeOut makes the directory for what the run leaves behind.
func (o *options) makeOut() (err error) {
	if o.Out == "" {
		o.Out, err = os.MkdirTemp("", "curfew-conformance-")
		return err
	}
	return os.MkdirAll(o.Out, 0o700)
}

// start says which OP a run gets: one of its own, or the one that runs.
func (o *options) start(client *http.Client) func(context.Context, suite.Run) (suite.Provider, error) {
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

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// conclude says what is not accepted.
func conclude(w io.Writer, v suite.Verdict) error {
	if v.OK() {
		fmt.Fprintln(w, "\naccepted")
		return nil
	}
	fmt.Fprintln(w)
	for _, line := range v.Unexpected {
		fmt.Fprintln(w, "unexpected:", line)
	}
	for _, e := range v.Stale {
		fmt.Fprintf(w, "stale expectation: %s %s %s %s\n", e.Plan, e.Module, e.Result, e.Condition)
	}
	return errRejected
}
