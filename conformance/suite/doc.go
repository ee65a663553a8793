// Package suite drives a running OpenID Foundation conformance suite against Curfew, through the suite's REST API.
//
// A Run is one plan with one choice of its variants. For each, the Runner starts an OP of its own (or uses one that
// runs), gives it the user and the clients that the plan needs, creates the plan, runs its modules and exports the
// result. The suite plays the browser itself, by the entries of pages.go; where it cannot, a Chromium does.
//
//	Catalogue ── Run ──▶ Config, Clients ──▶ Provider (the OP)
//	                          │                 ▲
//	                          ▼                 │ browser, tokens, logout
//	             Runner ──▶ API ──▶ the suite ──┘
//	                └──▶ Result ──▶ Expectations ──▶ table, exit code
//
// Nothing is run twice in silence: a module runs as often as Repeat says, and every run is a Result. A result is
// accepted if the suite passed it, if its review was filled by the suite's own text match, or if an Expectation with
// a reason names it; a failure is never accepted, and neither is an Expectation that no longer occurs.
//
// The package knows Curfew from outside only: its command line, its pages' element ids, its metadata.
package suite
