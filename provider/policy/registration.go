package policy

import (
	"encoding/json"
	"time"
)

// Values of Registration.Mode.
const (
	RegistrationOff   = "off"
	RegistrationToken = "token"
	RegistrationOpen  = "open"
)

// Registration holds the settings of dynamic client registration (RFC 7591).
type Registration struct {
	// Who may register clients (RFC 7591): no one (`off`), callers with an initial access token made by `curfew
	// registration token add` (`token`), or anyone (`open`): within
	// the limits below.
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
	// What may be called for clients that registered themselves although it is private or at another port than 443:
	// networks, addresses and host names, as in `egress.allow`, which does not hold for these clients.
	EgressAllow []string `yaml:"egress_allow"`
	// How large the metadata of a client that registers itself may be, in bytes of JSON.
	MaxBytes int `yaml:"max_bytes" default:"8192"`
	// How large the records of all clients that registered themselves may be together, in bytes. Registration with an
	// initial access token and changes go on up to twice as much.
	MaxTotalBytes int `yaml:"max_total_bytes" default:"33554432"`
	// How many clients that registered themselves there may be; twice as many with an initial access token.
	MaxClients int `yaml:"max_clients" default:"10000"`
	// How many clients are registered openly in a day. As many changes of clients are taken besides. What is refused
	// does not count.
	PerDay int `yaml:"per_day" default:"10000"`
	// How many of them come from one IPv4 address or IPv6 /64; four times as many from one IPv6 /48.
	PerDayNetwork int `yaml:"per_day_network" default:"50"`
	// How many documents (`jwks_uri`, `request_uri`, `sector_identifier_uri`) of clients that registered themselves
	// are fetched from one host in a minute; ten times as many from all hosts together.
	FetchesPerMinute int `yaml:"fetches_per_minute" default:"30"`
	// A client that registered itself is removed this long after its registration if it was never given anything.
	// `0`: it stays.
	NeverUsed time.Duration `yaml:"never_used" default:"24h" min:"0"`
	// A client that registered itself is removed when it was given nothing for this long. `0`: it stays.
	Unused time.Duration `yaml:"unused" default:"90d" min:"0"`
}

// Enabled reports whether clients can be registered over HTTP.
func (r Registration) Enabled() bool {
	return r.Mode == RegistrationToken || r.Mode == RegistrationOpen
}
