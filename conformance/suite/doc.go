// Package suite drives a running OpenID Foundation conformance suite against Curfew, through the suite's REST API.
//
// A Run is one plan with one value for each of its variant parameters. For each Run, the Runner starts an OP (or uses
// one that is already running), adds the user and the clients that the plan needs, creates the plan, runs its modules
// and exports the result. The suite's own browser visits the OP's pages by the scripts of pages.go; a Chromium visits
// the pages that have no script.
//
//	Catalogue ── Run ──▶ Config, Clients ──▶ Provider (the OP)
//	                          │                 ▲
//	                          ▼                 │ browser, tokens, logout
//	             Runner ──▶ API ──▶ the suite ──┘
//	                └──▶ Result ──▶ Expectations ──▶ table, exit code
//
// The Runner does not repeat failed modules: a module runs Repeat times, and each time gives a Result. A Result is
// accepted if the suite passed it, if the suite's own browser filled its review by a text match, or if an Expectation
// with a reason names it. A failure is never accepted. An Expectation that no longer occurs is an error too.
//
// The package uses Curfew only from outside: by its command line, the element ids of its pages, and its metadata.
package suite
