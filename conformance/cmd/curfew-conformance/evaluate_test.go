package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/conformance/suite"
)

// mustKeep leaves a passed module of each run of the config and 3rdparty plans, but for those of a response type.
func mustKeep(t *testing.T, dir, result, without string) {
	t.Helper()
	selected := suite.Filter{Plans: []string{"config", "3rdparty*"}}.Select(suite.Catalogue())
	for _, run := range selected {
		if run.Variant["response_type"] == without {
			continue
		}
		results := []suite.Result{{Run: run, Module: suite.Module{Name: "m"}, Result: result}}
		if err := (suite.Record{
			Suite:   "5.2.4",
			Command: "curfew-conformance -plan " + run.Plan,
			Results: results,
		}).Save(
			dir,
			run,
		); err != nil {
			t.Fatal(err)
		}
	}
}

func mustSum(t *testing.T, dir string) (*options, string, error) {
	t.Helper()
	args := []string{
		"-sum",
		"-out",
		dir,
		"-plan",
		"config",
		"-plan",
		"3rdparty*",
		"-results",
		filepath.Join(dir, "RESULTS.md"),
		"-expected",
		filepath.Join(dir, "none.json"),
	}
	o, err := parse(args, func(string) string { return "" }, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err = o.run(t.Context(), &b)
	return o, b.String(), err
}

func TestSumEvaluatesResultsOfEarlierRuns(t *testing.T) {
	dir := t.TempDir()
	mustKeep(t, dir, suite.Passed, "none of them")
	o, said, err := mustSum(t, dir)
	if err != nil || !strings.Contains(said, "accepted") {
		t.Fatalf("got %q, %v; want it accepted", said, err)
	}
	text, err := os.ReadFile(o.Results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| all |  | 7 | 7 |",
		"-plan oidcc-config-certification-test-plan\n",
		"-plan oidcc-3rdparty-init-login-certification-test-plan\n",
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("got %d times %q in\n%s", strings.Count(string(text), want), want, text)
		}
	}
}

// TestExitCodeSaysWhetherResultsWereRejectedOrPlansDidNotRun: 0 accepted, 1 rejected, 2 not run, as the README says.
func TestExitCodeSaysWhetherResultsWereRejectedOrPlansDidNotRun(t *testing.T) {
	notRun := errors.New("no suite answers")
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"accepted":             {joinErrors(nil, nil), 0},
		"rejected":             {joinErrors(nil, errRejected), 1},
		"a plan did not run":   {joinErrors(notRun, nil), 2},
		"rejected and not run": {joinErrors(notRun, errRejected), 2},
		"help":                 {flag.ErrHelp, 0},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: got exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestNothingIsAcceptedIfNoModuleRan(t *testing.T) {
	var b strings.Builder
	if err := (&options{Expected: filepath.Join(t.TempDir(), "none.json")}).evaluate(nil, &b); exitCode(err) != 2 ||
		strings.Contains(b.String(), "accepted") {
		t.Errorf("got %v and %q, want exit code 2 and nothing accepted", err, b.String())
	}
}

func TestSumFailsForAFailureThatWasKept(t *testing.T) {
	dir := t.TempDir()
	mustKeep(t, dir, suite.Failed, "none of them")
	if _, _, err := mustSum(t, dir); !errors.Is(err, errRejected) {
		t.Errorf("got %v, want it rejected", err)
	}
}

func TestSumWantsEveryRun(t *testing.T) {
	dir := t.TempDir()
	mustKeep(t, dir, suite.Passed, "code token")
	if _, _, err := mustSum(t, dir); err == nil || !strings.Contains(err.Error(), "1 of 7 runs left no results") {
		t.Errorf("got %v, want the run that is missing", err)
	}
}
