package main

import (
	"io"
	"strings"
	"testing"
)

func TestOptionsComeFromFlagsAndEnvironment(t *testing.T) {
	env := map[string]string{"SUITE": "https://suite.test/", "SUITE_TOKEN": "secret", "SUITE_CA": "ca.pem"}
	o, err := parse(
		[]string{"-plan", "basic", "-plan", "config", "-variant", "client_registration=static_client", "-repeat", "20"},
		func(name string) string { return env[name] },
		io.Discard,
	)
	if err != nil {
		t.Fatal(err)
	}
	if o.Suite != "https://suite.test" || o.Token != "secret" || o.CA != "ca.pem" || o.Repeat != 20 ||
		len(o.selectedRuns()) != 3 {
		t.Errorf("got %+v with %d runs, want three", o, len(o.selectedRuns()))
	}
	if line := o.commandLine(); strings.Contains(line, "secret") || !strings.HasSuffix(line, "-repeat 20") {
		t.Errorf("got command line %q, want it without the token", line)
	}
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"no suite":                {},
		"unknown plan":            {"-suite", "https://s", "-plan", "fapi"},
		"unknown variant value":   {"-suite", "https://s", "-plan", "dynamic", "-variant", "response_type=none"},
		"variant without a value": {"-suite", "https://s", "-variant", "response_type"},
		"half of a running OP":    {"-suite", "https://s", "-op-config", "curfew.yaml"},
		"running OP in parallel": {
			"-suite",
			"https://s",
			"-op-config",
			"c",
			"-op-issuer",
			"https://op",
			"-parallel",
			"2",
		},
		"stray argument": {"-suite", "https://s", "basic"},
		"no repetition":  {"-suite", "https://s", "-repeat", "0"},
	} {
		if _, err := parse(args, func(string) string { return "" }, io.Discard); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestListNeedsNoSuite(t *testing.T) {
	o, err := parse([]string{"-list", "-plan", "config"}, func(string) string { return "" }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := o.run(t.Context(), &b); err != nil || b.String() != "oidcc-config-certification-test-plan\t\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
