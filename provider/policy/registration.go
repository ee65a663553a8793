package policy

import "encoding/json"

// Values of Registration.Mode.
const (
	RegistrationOff   = "off"
	RegistrationToken = "token"
	RegistrationOpen  = "open"
)

// Registration holds the settings of dynamic client registration (RFC 7591).
type Registration struct {
	// Who may register clients (RFC 7591): no one (`off`), callers with an initial access token made by `curfew
	// registration token add` (`token`), or anyone (`open`): up to 10,000 clients, and 10,000 registrations and
	// changes a day.
	Mode string `yaml:"mode" default:"off" oneof:"off token open"`
	// The per-client choices, such as `{require_pkce: false}`, that openly registered clients get. An initial access
	// token carries its own.
	Defaults json.RawMessage `yaml:"defaults"`
	// Show the logos of clients that registered themselves. The user's browser loads a logo from the client's host.
	Logo bool `yaml:"logo" default:"false"`
	// Unsafe: lets an operator register a public client that uses no PKCE (`require_pkce: false`). Then anyone who
	// obtains a code can use it (RFC 9700 §2.1.1). The conformance suite's plans for such clients need it; leave it
	// off otherwise.
	PublicWithoutPKCE bool `yaml:"public_without_pkce" default:"false"`
}

// Enabled reports whether clients can be registered over HTTP.
func (r Registration) Enabled() bool {
	return r.Mode == RegistrationToken || r.Mode == RegistrationOpen
}
