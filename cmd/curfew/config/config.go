// Package config owns what an operator decides: the one YAML file, the environment over it, and the defaults under both.
//
//	Default ──▶ file ──▶ environment ──▶ check ──▶ Config
//
// It is strict: an unknown key, a key given twice and a value that cannot be meant are problems, each with its line, and
// all of them are reported at once. It knows no protocol and opens nothing but the files that the configuration names.
package config

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Config is one deployment's settings. The yaml tags are the keys; a key's environment name is CURFEW_ and the key's path in
// upper case, its dots turned to underscores.
type Config struct {
	Issuer          string         `yaml:"issuer"`
	Data            Path           `yaml:"data"` // a folder
	Listen          string         `yaml:"listen"`
	TLS             TLS            `yaml:"tls"`
	KeyFile         Path           `yaml:"key_file"`
	TrustedProxies  []netip.Prefix `yaml:"trusted_proxies"`
	Egress          Egress         `yaml:"egress"`
	Session         Session        `yaml:"session"`
	Token           Token          `yaml:"token"`
	Logout          Logout         `yaml:"logout"`
	MaxTrustHorizon time.Duration  `yaml:"max_trust_horizon"` // 0: no limit
	Registration    Registration   `yaml:"registration"`
	Keys            Keys           `yaml:"keys"`
	Metrics         Metrics        `yaml:"metrics"`
	Log             Log            `yaml:"log"`

	file    string            // empty: the environment alone
	origins map[string]origin // where each key's value was given; a default has none
}

// TLS names the certificate of the main listener. Without one a proxy ends TLS.
type TLS struct {
	Cert Path `yaml:"cert"` // PEM, with its chain
	Key  Path `yaml:"key"`
}

// Egress says what may be called although it is not a public address at port 443.
type Egress struct {
	Allow []string `yaml:"allow"`
	CA    Path     `yaml:"ca"` // PEM
}

// Session is how long sign-ins last.
type Session struct {
	Idle             time.Duration `yaml:"idle"`
	Absolute         time.Duration `yaml:"absolute"`
	RememberIdle     time.Duration `yaml:"keep_idle"` // with "keep me signed in"
	RememberAbsolute time.Duration `yaml:"keep_absolute"`
	ExpiryNotice     string        `yaml:"expiry_notice" oneof:"tell silent"`
}

// Token is how long what a relying party gets lasts.
type Token struct {
	Code        time.Duration `yaml:"code"`
	Opaque      time.Duration `yaml:"opaque"`
	JWT         time.Duration `yaml:"jwt"`
	ID          time.Duration `yaml:"id"`
	OfflineIdle time.Duration `yaml:"offline_idle"`
}

// Logout is what endings end, and how they are told.
type Logout struct {
	Scope           string        `yaml:"scope" oneof:"client session all"`
	Ask             bool          `yaml:"ask"`
	PasswordChange  string        `yaml:"password_change" oneof:"others all"`
	RefreshReuse    string        `yaml:"refresh_reuse" oneof:"client session"`
	ReportRetention time.Duration `yaml:"keep_reports"`
	Wait            time.Duration `yaml:"wait"`
}

// Registration is who may register clients (RFC 7591).
type Registration struct {
	Mode     string          `yaml:"mode" oneof:"off token open"`
	Defaults json.RawMessage `yaml:"defaults"` // client metadata, a JSON object; nil: none
	Logo     bool            `yaml:"logo"`

	PublicWithoutPKCE bool `yaml:"public_without_pkce"`
}

// Keys is how signing keys are made and replaced.
type Keys struct {
	Algorithms  []string      `yaml:"algorithms"`
	RSABits     int           `yaml:"rsa_bits" oneof:"2048 3072 4096"`
	RotateAfter time.Duration `yaml:"rotate_after"` // 0: by command only
}

// Metrics is the listener for Prometheus; empty: none.
type Metrics struct {
	Listen string `yaml:"listen"`
}

// Log is how the log is written.
type Log struct {
	Level  string `yaml:"level" oneof:"debug info warn error"`
	Format string `yaml:"format" oneof:"auto json text"` // auto: text on a terminal, else JSON
}

// Path is a file or folder. One that is not absolute starts at the folder of the configuration file, so that every command finds
// the same from everywhere; in the environment it starts at the working directory.
type Path string

// Source names what was read: the file, or the environment alone.
func (c *Config) Source() string {
	if c.file == "" {
		return "environment"
	}
	return c.file
}

// Origin says where the value of a key was given: "curfew.yaml:3", "CURFEW_LISTEN" or "default".
func (c *Config) Origin(key string) string {
	if o, ok := c.origins[key]; ok {
		return o.String()
	}
	return "default"
}
