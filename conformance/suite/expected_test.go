package suite

import (
	"strings"
	"testing"
)

func mustRead(t *testing.T, text string) Expectations {
	t.Helper()
	all, err := ReadExpectations(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const unsigned = `[{"plan": "oidcc-*", "variant": {"client_registration": "dynamic_client"}, "module": "oidcc-idtoken-unsigned",
	"result": "SKIPPED", "reason": "alg none is not offered", "section": "OpenID Connect Core 1.0 §15.1"}]`

const warned = `[{"plan": "oidcc-basic-*", "module": "m", "result": "WARNING", "condition": "CheckA", "reason": "r", "section": "s"}]`

func newResult(run Run, module, result string, warnings ...Finding) Result {
	return Result{Run: run, Module: Module{Name: module}, Result: result, Warnings: warnings}
}

func TestSkipNeedsItsReason(t *testing.T) {
	results := []Result{newResult(dynamicRun, "oidcc-idtoken-unsigned", Skipped)}
	if v := (Expectations{}).Evaluate(results, false); len(v.Unexpected) != 1 {
		t.Errorf("got %v, want the skip unexpected", v)
	}
	if v := mustRead(t, unsigned).Evaluate(results, false); !v.OK() {
		t.Errorf("got %v, want the skip tolerated", v)
	}
	otherResults := []Result{newResult(staticRun, "oidcc-idtoken-unsigned", Skipped)}
	if v := mustRead(t, unsigned).Evaluate(otherResults, false); len(v.Unexpected) != 1 {
		t.Errorf("got %v, want the skip in another variant unexpected", v)
	}
}

func TestEachWarningNeedsItsOwnReason(t *testing.T) {
	a, b := Finding{"CheckA", "one"}, Finding{"CheckB", "two"}
	if v := mustRead(t, warned).Evaluate([]Result{newResult(dynamicRun, "m", Warning, a)}, false); !v.OK() {
		t.Errorf("got %v, want the named warning tolerated", v)
	}
	v := mustRead(t, warned).Evaluate([]Result{newResult(dynamicRun, "m", Warning, a, b)}, false)
	if len(v.Unexpected) != 1 || !strings.Contains(v.Unexpected[0], "CheckB") {
		t.Errorf("got %v, want the other warning unexpected", v)
	}
}

func TestExpectationThatNoLongerOccursIsStale(t *testing.T) {
	for _, c := range []struct {
		name     string
		results  []Result
		complete bool
		stale    bool
	}{
		{"its module passed", []Result{newResult(dynamicRun, "oidcc-idtoken-unsigned", Passed)}, false, true},
		{"its module was not selected", []Result{newResult(dynamicRun, "oidcc-server", Passed)}, false, false},
		{"its module is gone", []Result{newResult(dynamicRun, "oidcc-server", Passed)}, true, true},
		{
			"it occurs in one of two runs",
			[]Result{
				newResult(dynamicRun, "oidcc-idtoken-unsigned", Passed),
				newResult(dynamicRun, "oidcc-idtoken-unsigned", Skipped),
			},
			true,
			false,
		},
	} {
		if v := mustRead(t, unsigned).Evaluate(c.results, c.complete); (len(v.Stale) > 0) != c.stale {
			t.Errorf("%s: got stale %v, want %v", c.name, v.Stale, c.stale)
		}
	}
}

func TestFailureAndSilenceAreNeverAccepted(t *testing.T) {
	for _, result := range []string{Failed, "UNKNOWN", ""} {
		if v := (Expectations{}).Evaluate([]Result{newResult(dynamicRun, "m", result)}, false); v.OK() {
			t.Errorf("got %q accepted", result)
		}
	}
	passedInName := newResult(dynamicRun, "m", Passed)
	passedInName.Failures = []Finding{{"CheckA", "broken"}}
	if (Expectations{}).Evaluate([]Result{passedInName}, false).OK() {
		t.Error("got a failed condition accepted")
	}
}

func TestIncompleteExpectationIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no reason":             `[{"plan": "p", "module": "m", "result": "SKIPPED", "section": "s"}]`,
		"no section":            `[{"plan": "p", "module": "m", "result": "SKIPPED", "reason": "r"}]`,
		"a failure":             `[{"plan": "p", "module": "m", "result": "FAILED", "reason": "r", "section": "s"}]`,
		"warning in everything": `[{"plan": "p", "module": "m", "result": "WARNING", "reason": "r", "section": "s"}]`,
		"malformed glob":        `[{"plan": "[", "module": "m", "result": "SKIPPED", "reason": "r", "section": "s"}]`,
		"unknown member":        `[{"plan": "p", "module": "m", "result": "SKIPPED", "reason": "r", "section": "s", "excuse": "x"}]`,
	} {
		if _, err := ReadExpectations(strings.NewReader(text)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
