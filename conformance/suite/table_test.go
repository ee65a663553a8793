package suite

import (
	"strings"
	"testing"
	"time"
)

func TestTableSumsUpEachRun(t *testing.T) {
	var results []Result
	for _, result := range []string{Passed, Passed, Warning, Review, Skipped, Failed, "UNKNOWN"} {
		results = append(results, Result{Run: dynamicRun, Result: result, Took: 1500 * time.Millisecond})
	}
	results = append(results, Result{Run: staticRun, Result: Passed, Took: time.Second})
	var b strings.Builder
	if err := WriteTable(&b, Rows(results)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"plan variant modules passed warning review skipped failed seconds",
		"oidcc-basic-certification-test-plan client_registration=dynamic_client 7 2 1 1 1 2 10",
		"oidcc-basic-certification-test-plan client_registration=static_client 1 1 0 0 0 0 1",
		"all 8 3 1 1 1 2 12",
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if got := strings.Join(strings.Fields(line), " "); got != want[i] {
			t.Errorf("line %d: got %q, want %q", i, got, want[i])
		}
	}
}

func TestReportNamesSuiteCommandAndReasons(t *testing.T) {
	r := Report{
		Suite: []string{
			"5.2.4",
		},
		Commands:     []string{"curfew-conformance -plan basic"},
		Day:          time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
		Rows:         Rows([]Result{{Run: dynamicRun, Result: Passed}}),
		Expectations: mustRead(t, unsigned),
		Evaluation:   Evaluation{Unexpected: []string{"m: skipped"}},
	}
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"suite 5.2.4, 2026-11-21", "curfew-conformance -plan basic", "| plan | variant |",
		"| oidcc-basic-certification-test-plan | client_registration=dynamic_client | 1 | 1 |",
		"- m: skipped", "| oidcc-idtoken-unsigned | SKIPPED | alg none is not offered | OpenID Connect Core 1.0 §15.1 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got no %q in\n%s", want, b.String())
		}
	}
}
