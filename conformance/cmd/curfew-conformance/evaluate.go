package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/curfew-id/curfew/conformance/suite"
)

// run lists the selected runs, evaluates their saved results, or executes them. It prints a table of the results. The
// error is errRejected if a result is not accepted.
func (o *options) run(ctx context.Context, w io.Writer) error {
	runs := o.selectedRuns()
	switch {
	case o.List:
		for _, r := range runs {
			fmt.Fprintf(w, "%s\t%s\n", r.Plan, r.Title())
		}
		return nil
	case o.Sum:
		return o.evaluateRecords(runs, w)
	}
	return o.executeRuns(ctx, runs, w)
}

// evaluateRecords evaluates the results that earlier runs have saved.
func (o *options) evaluateRecords(runs []suite.Run, w io.Writer) error {
	records, missing, err := suite.ReadRecords(o.Out, runs)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf(
			"%d of %d runs left no results in %s, the first of them %s %s",
			len(missing),
			len(runs),
			o.Out,
			missing[0].Plan,
			missing[0].Title(),
		)
	}
	return o.evaluate(records, w)
}

// evaluate prints the table of the records and the results that are not accepted. It writes a report if -results
// names a file.
func (o *options) evaluate(records []suite.Record, w io.Writer) error {
	expected, err := o.expectations()
	if err != nil {
		return err
	}
	results, versions, commands := suite.Merge(records)
	if len(results) == 0 {
		return errors.New("no module ran, so there is nothing to accept")
	}
	rows := suite.Rows(results)
	if err := suite.WriteTable(w, rows); err != nil {
		return err
	}
	evaluation := expected.Evaluate(results, o.Filter.SelectsAll() && !o.RealBrowser)
	if o.Results != "" {
		report := suite.Report{
			Suite:        versions,
			Commands:     commands,
			Day:          time.Now(),
			Rows:         rows,
			Expectations: expected,
			Evaluation:   evaluation,
		}
		if err := writeFile(o.Results, report.WriteMarkdown); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return printEvaluation(w, evaluation)
}

// expectations reads the tolerated results. If the file does not exist, none is tolerated.
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

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// printEvaluation prints the results that are not accepted.
func printEvaluation(w io.Writer, v suite.Evaluation) error {
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
