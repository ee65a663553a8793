package suite

import (
	"path"
	"slices"
	"strings"
)

// Run is one plan with one value of each of its variants.
type Run struct {
	Plan    string  // the suite's name of the plan
	Variant Variant // the values of the plan's variants
	Browser string  // Chromium: a real browser visits every page; empty: the suite's own plays the entries of pages.go
}

// Chromium as Run.Browser.
const Chromium = "chromium"

// The values of client_registration.
const (
	staticClient  = "static_client"
	dynamicClient = "dynamic_client"
)

// responseTypes are all of OpenID Connect Core 1.0 §3 and OAuth 2.0 Multiple Response Type Encoding Practices §5.
var responseTypes = []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

// authMethods are the token endpoint's client authentication methods that Curfew offers, all of the suite's but
// mutual TLS.
var authMethods = []string{"none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"}

// Catalogue lists every run: each OpenID Connect plan with each choice of metadata, registration, response type and
// client authentication.
func Catalogue() []Run {
	runs := []Run{{Plan: certification("config"), Variant: Variant{}}}
	for _, profile := range []string{"basic", "implicit", "hybrid", "formpost-basic", "formpost-implicit", "formpost-hybrid"} {
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
	for _, profile := range []string{"rp-initiated-logout", "frontchannel-rp-initiated-logout", "backchannel-rp-initiated-logout", "session-management"} {
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

// Title is the run's variant as the table shows it.
func (r Run) Title() string {
	if r.Browser == "" {
		return r.Variant.String()
	}
	return strings.TrimPrefix(r.Variant.String()+", browser="+r.Browser, ", ")
}

// Choices are the run's variant and its browser.
func (r Run) Choices() Variant {
	all := Variant{"browser": "suite"}
	if r.Browser != "" {
		all["browser"] = r.Browser
	}
	for name, value := range r.Variant {
		all[name] = value
	}
	return all
}

// UsesDynamicRegistration reports whether the suite registers its clients itself.
func (r Run) UsesDynamicRegistration() bool { return r.Variant["client_registration"] != staticClient }

// Filter selects runs and modules. The zero value selects everything.
type Filter struct {
	Plans   []string // globs over plans' names, whole or without "oidcc-" and "-certification-test-plan"
	Variant Variant  // runs with another value are left out
	Modules []string // globs over modules' names
}

// InChromium are the same runs, each played by a real browser.
func InChromium(runs []Run) []Run {
	var all []Run
	for _, r := range runs {
		if r.Browser == "" {
			all = append(all, Run{Plan: r.Plan, Variant: r.Variant, Browser: Chromium})
		}
	}
	return all
}

// Select selects from runs.
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

// matchesAny reports whether a pattern matches a name; no pattern matches all.
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

// product lists every combination of choices, the last one changing fastest.
func product(choices ...choice) []Variant {
	all := []Variant{{}}
	for _, c := range choices {
		var next []Variant
		for _, v := range all {
			for _, value := range c.values {
				longer := Variant{c.parameter: value}
				for name, chosen := range v {
					longer[name] = chosen
				}
				next = append(next, longer)
			}
		}
		all = next
	}
	return all
}
