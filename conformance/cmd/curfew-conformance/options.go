package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/curfew-id/curfew/conformance/suite"
)

// options are the choices of the command line.
type options struct {
	Suite       string // the suite's URL
	CA          string
	Token       string // of the suite's API
	Filter      suite.Filter
	List        bool
	Sum         bool // evaluate saved results
	RealBrowser bool // visit every page in Chromium
	Repeat      int
	Parallel    int
	Expected    string // the file of tolerated results
	Results     string // the file of the report
	Out         string // the directory of saved results

	Binary string
	Host   string
	Config string // the configuration file of an OP that is already running
	Issuer string // the issuer of that OP

	Chromium  string
	NoSandbox bool

	arguments []string
}

// parse parses the command line. Some flags have a default from the environment; their help says so.
func parse(args []string, getenv func(string) string, errs io.Writer) (*options, error) {
	o := &options{arguments: args, Filter: suite.Filter{Variant: suite.Variant{}}}
	fs := flag.NewFlagSet("curfew-conformance", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&o.Suite, "suite", getenv("SUITE"), "the suite's https `URL`; default $SUITE")
	fs.StringVar(
		&o.CA,
		"ca",
		getenv("SUITE_CA"),
		"PEM `file` with the CA of the suite's certificate, trusted by the runner and the OP "+
			"besides the system's roots; default $SUITE_CA",
	)
	fs.Func(
		"plan",
		"run only this plan; a glob, whole or without oidcc- and -certification-test-plan; may be repeated",
		appendTo(&o.Filter.Plans),
	)
	fs.Func("module", "run only this module; a glob; may be repeated", appendTo(&o.Filter.Modules))
	fs.Func("variant", "run only with this choice, `name=value`; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want name=value")
		}
		o.Filter.Variant[name] = value
		return nil
	})
	fs.BoolVar(
		&o.RealBrowser,
		"real",
		false,
		"play every page in Chromium, which enforces what the suite's own browser does not; reviews are then pictures",
	)
	fs.BoolVar(&o.List, "list", false, "list the runs that are selected, and run none")
	fs.BoolVar(
		&o.Sum,
		"sum",
		false,
		"run none, but judge what complete runs of the selected plans left in the -out directory",
	)
	fs.IntVar(&o.Repeat, "repeat", 1, "run each module `N` times")
	fs.IntVar(&o.Parallel, "parallel", 1, "run `N` modules at a time")
	fs.StringVar(&o.Expected, "expected", "conformance/expected.json", "the tolerated results")
	fs.StringVar(&o.Results, "results", "", "write the results to this Markdown `file`")
	fs.StringVar(&o.Out, "out", "", "`directory` for results and the OPs' logs; default a temporary one")
	fs.StringVar(&o.Binary, "curfew", "bin/curfew", "the curfew binary")
	fs.StringVar(
		&o.Host,
		"host",
		"op.idp.test",
		"host name of the OPs that are started; it must lead to 127.0.0.1 here and at the suite",
	)
	fs.StringVar(&o.Config, "op-config", "", "use the OP that serves with this configuration `file`, and start none")
	fs.StringVar(&o.Issuer, "op-issuer", "", "the issuer of that OP")
	fs.StringVar(&o.Chromium, "chromium", "", "the Chromium executable; default found by name")
	fs.BoolVar(&o.NoSandbox, "no-sandbox", false, "run Chromium without its sandbox, as root must")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	o.Token = getenv("SUITE_TOKEN") // no flag, since every OS user can read the command line
	o.Suite = strings.TrimSuffix(o.Suite, "/")
	return o, o.check(fs.NArg())
}

func (o *options) check(extraArgs int) error {
	switch {
	case extraArgs > 0:
		return errors.New("unexpected arguments; every choice is a flag")
	case o.Sum && o.Out == "":
		return errors.New("-sum needs -out")
	case o.Suite == "" && !o.List && !o.Sum:
		return errors.New("the suite's URL is missing: -suite or $SUITE")
	case (o.Config == "") != (o.Issuer == ""):
		return errors.New("-op-config and -op-issuer go together")
	case o.Config != "" && o.Parallel > 1:
		return errors.New("-parallel needs OPs of our own: one OP's key rotation would disturb the other plans")
	case o.Repeat < 1 || o.Parallel < 1:
		return errors.New("-repeat and -parallel begin at 1")
	}
	if len(o.selectedRuns()) == 0 {
		return fmt.Errorf("no plan matches %q with variant %q", o.Filter.Plans, o.Filter.Variant)
	}
	return nil
}

// selectedRuns returns the runs that the flags select.
func (o *options) selectedRuns() []suite.Run {
	runs := suite.Catalogue()
	if o.RealBrowser {
		runs = suite.InChromium(runs)
	}
	return o.Filter.Select(runs)
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}
