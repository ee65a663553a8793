// Package config loads the configuration: one YAML file and environment variables, which win over the file.
//
//	defaults ──▶ file ──▶ environment ──▶ check ──▶ Config
//
// It is strict: an unknown key, a key given twice and an invalid value are problems. Load reports all problems
// together, each with its line. The package reads the files that the configuration names, and no others.
//
// Each setting is declared once, as a field here or in package policy. The tag of the field has its key, default and
// limits; package policy lists the parts of a tag. The comment of the field is its documentation: the rows of
// docs/configuration.md are generated from it.
package config

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// Config has the settings of one deployment. The yaml tags are the keys. The environment variable of a key is CURFEW_
// and the key's path in upper case, with underscores for dots: CURFEW_SESSION_IDLE for session.idle.
type Config struct {
	// The URL of this provider, exactly as apps know it: https, no slash at its end, no query, no fragment. http is
	// allowed for `localhost`, `*.localhost`, `127.0.0.1` and `[::1]` only. Every absolute URL starts with it,
	// whatever a request says.
	Issuer string `yaml:"issuer" nodefault:"required"`
	// The folder with all data: the store `curfew.db`, the key that encrypts private keys, and the socket
	// `admin.sock` through which the commands administer a running server. It is created with mode 0700 if it is
	// missing.
	Data Path `yaml:"data" nodefault:"required"`
	// The address to listen on. By default the issuer's own port: on every address if `tls.cert` is set, on loopback
	// if the issuer is http. Behind a proxy it is `127.0.0.1:8080`.
	Listen string `yaml:"listen" nodefault:"see meaning"`
	TLS    TLS    `yaml:"tls"`
	// The file with the key that encrypts private keys at rest, created at the first start with mode 0600. A backup
	// of the store is of no use without it, neither to you nor to a thief.
	KeyFile Path  `yaml:"key_file" nodefault:"curfew.key in the data folder"`
	Store   Store `yaml:"store"`
	// Networks (CIDR) of proxies that end TLS and whose `X-Forwarded-For` or `Forwarded` counts. With an https issuer
	// and no `tls.cert` no other client is answered, and the default is loopback, `127.0.0.0/8` and `::1/128`;
	// otherwise there is none.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" nodefault:"see meaning"`
	Egress         Egress         `yaml:"egress"`
	Authn          policy.Authn   `yaml:"authn"`
	Password       Password       `yaml:"password"`
	Session        policy.Session `yaml:"session"`
	Token          policy.Token   `yaml:"token"`
	Logout         policy.Logout  `yaml:"logout"`
	// The longest time after a logout for which an app that does as it declared may still trust its tokens. A client
	// or a token lifetime that would exceed it is refused. `0`: no limit.
	MaxTrustHorizon time.Duration       `yaml:"max_trust_horizon" default:"0" min:"0"`
	Registration    policy.Registration `yaml:"registration"`
	Keys            Keys                `yaml:"keys"`
	// Scopes of APIs, as a mapping from the name of each scope to its audience, description, clients and groups: see
	// [groups.md](groups.md#scopes-of-apis).
	Scopes json.RawMessage `yaml:"scopes"`
	// Other OpenID providers with whose accounts users can sign in, as a mapping from an id of your choice to the
	// settings of the upstream: see [upstream.md](upstream.md).
	Upstreams json.RawMessage `yaml:"upstreams"`
	Audit     policy.Audit    `yaml:"audit"`
	Backup    Backup          `yaml:"backup"`
	Mail      Mail            `yaml:"mail"`
	SignUp    policy.SignUp   `yaml:"sign_up"`
	Metrics   Metrics         `yaml:"metrics"`
	Log       Log             `yaml:"log"`

	file      string            // the configuration file; empty if there is none
	apiScopes storage.APIScopes // of Scopes
	upstreams []policy.Upstream // of Upstreams
	origins   map[string]origin // where each key was given; keys with their default have no origin
}

// Store says where the records are kept.
type Store struct {
	// The PostgreSQL database with all records, for several replicas: `postgres://USER@HOST:PORT/DATABASE`. Several
	// hosts are separated by commas; only one that takes writes is used. Without `sslmode` the server's certificate is
	// verified (`verify-full`), except on this machine. Without a URL the records are in `curfew.db` in the data
	// folder.
	URL StoreURL `yaml:"url"`
	// The file with the password of the role in `store.url`.
	PasswordFile Path `yaml:"password_file"`
	// The schema with the tables.
	Schema string `yaml:"schema" default:"curfew"`
	// The first start and every upgrade change the tables: `on` at the start of the server, `off` by `curfew store
	// migrate`, with a role of its own.
	Migrate string `yaml:"migrate" default:"on" oneof:"on off"`
	// `off`: statements are not prepared, as pgbouncer in transaction mode requires. Otherwise `on`.
	Prepared string `yaml:"prepared" default:"on" oneof:"on off"`
	// How many connections a replica opens at most.
	Connections int `yaml:"connections" default:"16"`
}

// StoreURL is the URL of a database. Its password is not printed.
type StoreURL string

// redacted returns the URL without its password.
func (u StoreURL) redacted() string {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return "invalid"
	}
	return parsed.Redacted()
}

// Password says which new passwords are accepted. Passwords that are set already stay valid.
type Password struct {
	// The minimum length of a new password that stands alone, in characters: 8 to 64.
	MinLength int `yaml:"min_length" default:"15"`
	// The minimum length for a user who has a passkey or an authenticator app, and for all users if `authn.require` is
	// not `password`: 8 to 64 characters.
	MinLengthWithSecondFactor int `yaml:"min_length_with_second_factor" default:"8"`
	// Passwords known from break-ins, which are refused: a file with lines `SHA1:COUNT` ordered by hash, or a folder of
	// range files, as Have I Been Pwned publishes them. Without it only 3,000 very common passwords are refused.
	BreachedFile Path `yaml:"breached_file"`
}

// TLS has the certificate of the main listener. Without a certificate, a proxy ends TLS.
type TLS struct {
	// A PEM file with the certificate and its chain. It is loaded again when it changes and on SIGHUP; if it cannot
	// be loaded, the previous one stays in use.
	Cert Path `yaml:"cert"`
	// The PEM file with its private key.
	Key Path `yaml:"key"`
	// How long browsers use only https for this host after an answer of Curfew (HSTS, RFC 6797). That concerns every
	// app of the host. `0`: the header is not sent, for example because the proxy sends it.
	HSTS time.Duration `yaml:"hsts" default:"365d" min:"0"`
	// HSTS holds for all subdomains of the host too.
	HSTSSubdomains bool `yaml:"hsts_subdomains" default:"false"`
}

// Egress lists the addresses that Curfew may call although they are private or not at port 443.
type Egress struct {
	// Networks (`10.1.2.0/24`), addresses and host names, the last two with or without a port (`app.internal:8443`),
	// that may be called although they are private or at another port. Cloud metadata addresses, link-local addresses
	// and Curfew's own listeners are never called unless that single address is named.
	Allow []string `yaml:"allow"`
	// A PEM file with certificates to trust in addition to the system's.
	CA Path `yaml:"ca"`
}

// Keys says how signing keys are made and rotated.
type Keys struct {
	// The algorithms that tokens can be signed with; each has a key of its own in the JWKS. RS256 must be among them:
	// it is the default of a client that registered none.
	Algorithms []string `yaml:"algorithms" default:"RS256,ES256,PS256,EdDSA"`
	// The size of new RSA keys: 2048, 3072 or 4096.
	RSABits int `yaml:"rsa_bits" default:"2048" oneof:"2048 3072 4096"`
	// Rotate signing keys at this age. `0`: only by `curfew key rotate`.
	RotateAfter time.Duration `yaml:"rotate_after" default:"0" min:"0"`
}

// Backup says when the server writes backups of the store in the data folder, and how fast.
type Backup struct {
	// Write a backup this often: `24h`. `0`: only by `curfew backup`. It is for the store in the data folder, not for a
	// database.
	Schedule time.Duration `yaml:"schedule" default:"0" min:"0"`
	// How many scheduled backups are kept. Older ones are removed.
	Keep int `yaml:"keep" default:"7"`
	// The folder of scheduled backups. A backup on the same disk does not survive that disk.
	Folder Path `yaml:"folder" nodefault:"backups in the data folder"`
	// Encrypt scheduled backups to these age recipients (`age1…`).
	Recipients []string `yaml:"recipients"`
	// The largest rate of a backup, in megabytes a second.
	Rate int `yaml:"rate" default:"50"`
}

// Mail is the mail server that accepts the messages of Curfew.
type Mail struct {
	// The mail server (SMTP). Without one Curfew sends no mail, and "Forgot your password?" refers to the administrator.
	Host string `yaml:"host"`
	// Its port: 587 for `starttls`, 465 for `tls`.
	Port int `yaml:"port" default:"587"`
	// The sender: an address, or `Name <address>`.
	From string `yaml:"from"`
	// `starttls`: the connection is encrypted by STARTTLS, and a server without it gets no message. `tls`: encrypted
	// from the start. `none`: not encrypted, for a server on this machine only.
	Security string `yaml:"security" default:"starttls" oneof:"starttls tls none"`
	// The login at the mail server.
	Username string `yaml:"username"`
	// The file with its password.
	PasswordFile Path `yaml:"password_file"`
}

// Metrics is the listener for Prometheus.
type Metrics struct {
	// The address that serves Prometheus metrics at `/metrics`, for your network only.
	Listen string `yaml:"listen"`
}

// Log has level and format of the log.
type Log struct {
	// `debug`, `info`, `warn` or `error`.
	Level string `yaml:"level" default:"info" oneof:"debug info warn error"`
	// `json`, `text`, or `auto`: text on a terminal, JSON elsewhere.
	Format string `yaml:"format" default:"auto" oneof:"auto json text"`
}

// Path is a file or folder. A relative path in the configuration file starts at the folder of that file, so that all
// commands find the same file from every working directory. In the environment it starts at the working directory.
type Path string

// Source returns the configuration file, or "environment" if there is none.
func (c *Config) Source() string {
	if c.file == "" {
		return "environment"
	}
	return c.file
}

// Origin returns the place where a key was given: "curfew.yaml:3", "CURFEW_LISTEN" or "default".
func (c *Config) Origin(key string) string {
	o, isGiven := c.origins[key]
	if !isGiven {
		return "default"
	}
	return o.String()
}
