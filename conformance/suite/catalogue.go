package suite

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// Run is one plan with one value for each of its variant parameters.
type Run struct {
	Plan    string  // the suite's name of the plan
	Variant Variant // the values of the plan's parameters
	Browser string  // Chromium, or empty for the suite's own browser with the scripts of pages.go
}

// Chromium is the Browser of a run in which a real browser visits every page.
const Chromium = "chromium"

// The values of client_registration.
const (
	staticClient  = "static_client"
	dynamicClient = "dynamic_client"
)

// responseTypes are all response types of OpenID Connect Core 1.0 §3 and OAuth 2.0 Multiple Response Type Encoding
// Practices §5.
var responseTypes = []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

// authMethods are the client authentication methods that Curfew supports: all of the suite's except mutual TLS.
var authMethods = []string{"none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"}

// The profiles of the certification plans whose variants have the same parameters.
var (
	flowProfiles   = []string{"basic", "implicit", "hybrid", "formpost-basic", "formpost-implicit", "formpost-hybrid"}
	logoutProfiles = []string{
		"rp-initiated-logout",
		"frontchannel-rp-initiated-logout",
		"backchannel-rp-initiated-logout",
		"session-management",
	}
)

// Catalogue returns all runs: each OpenID Connect plan with each combination of metadata, registration, response type
// and client authentication.
func Catalogue() []Run {
	runs := []Run{{Plan: certification("config"), Variant: Variant{}}}
	for _, profile := range flowProfiles {
		for _, v := range product(
			choice{"server_metadata", []string{"discovery", "static"}},
			choice{"client_registration", []string{dynamicClient, staticClient}},
		) {
			runs = append(runs, Run{Plan: certification(profile), Variant: v})
		}
	}
	for _, profile := range []string{"dynamic", "3rdparty-init-login"} {
		for _, v := range product(choice{"response_type", responseTypes}) {
			runs = append(runs, Run{Plan: certification(profile), Variant: v})
		}
	}
	for _, profile := range logoutProfiles {
		for _, v := range product(
			choice{"client_registration", []string{dynamicClient, staticClient}},
			choice{"response_type", responseTypes},
		) {
			runs = append(runs, Run{Plan: certification(profile), Variant: v})
			if profile == "session-management" {
				runs = append(runs, Run{Plan: certification(profile), Variant: v, Browser: Chromium})
			}
		}
	}
	for _, v := range product(
		choice{"client_auth_type", authMethods},
		choice{"client_registration", []string{dynamicClient, staticClient}},
		choice{"response_type", responseTypes},
		choice{"response_mode", []string{"default", "form_post"}},
	) {
		runs = append(runs, Run{Plan: "oidcc-test-plan", Variant: v})
	}
	return runs
}

func certification(profile string) string { return "oidcc-" + profile + "-certification-test-plan" }

// Title returns the run's variant and browser, for tables.
func (r Run) Title() string {
	if r.Browser == "" {
		return r.Variant.String()
	}
	return strings.TrimPrefix(r.Variant.String()+", browser="+r.Browser, ", ")
}

// Choices returns the run's variant with the parameter browser.
func (r Run) Choices() Variant {
	all := Variant{"browser": cmp.Or(r.Browser, "suite")}
	maps.Copy(all, r.Variant)
	return all
}

// UsesDynamicRegistration reports whether the suite registers its clients at the OP.
func (r Run) UsesDynamicRegistration() bool { return r.Variant["client_registration"] != staticClient }

// Filter selects runs and modules. The zero value selects everything.
type Filter struct {
	Plans   []string // globs for the names of plans, complete or without "oidcc-" and "-certification-test-plan"
	Variant Variant  // selects the runs that have these values or do not have these parameters
	Modules []string // globs for the names of modules
}

// InChromium returns the same runs with Chromium as their browser.
func InChromium(runs []Run) []Run {
	var all []Run
	for _, r := range runs {
		if r.Browser == "" {
			all = append(all, Run{Plan: r.Plan, Variant: r.Variant, Browser: Chromium})
		}
	}
	return all
}

// Select returns the selected runs.
func (f Filter) Select(runs []Run) []Run {
	return slices.DeleteFunc(slices.Clone(runs), func(r Run) bool {
		short := strings.TrimSuffix(strings.TrimPrefix(r.Plan, "oidcc-"), "-certification-test-plan")
		return !matchesAny(f.Plans, r.Plan, short) || r.Choices().Contradicts(f.Variant)
	})
}

// SelectsModule reports whether a module is selected.
func (f Filter) SelectsModule(name string) bool { return matchesAny(f.Modules, name) }

// SelectsAll reports whether the filter selects everything.
func (f Filter) SelectsAll() bool { return len(f.Plans)+len(f.Variant)+len(f.Modules) == 0 }

// matchesAny reports whether one of the patterns matches one of the names. Without patterns it returns true.
func matchesAny(patterns []string, names ...string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			ok, _ := path.Match(pattern, name) // a malformed pattern matches nothing
			return ok
		})
	})
}

type choice struct {
	parameter string
	values    []string
}

// product returns all combinations of the choices. The last choice changes fastest.
func product(choices ...choice) []Variant {
	variants := []Variant{{}}
	for _, c := range choices {
		var extended []Variant
		for _, v := range variants {
			for _, value := range c.values {
				withValue := Variant{c.parameter: value}
				maps.Copy(withValue, v)
				extended = append(extended, withValue)
			}
		}
		variants = extended
	}
	return variants
}
