package policy

import "time"

// The values of Upstream.CreateUsers.
const (
	CreateUsersOff     = "off"
	CreateUsersAny     = "any"
	CreateUsersDomains = "domains"
)

// The values of Upstream.Logout.
const (
	UpstreamLogoutAsk    = "ask"
	UpstreamLogoutAlways = "always"
	UpstreamLogoutNever  = "never"
)

// Upstream holds the settings of another OpenID provider, with whose accounts users can sign in. The JSON names are its
// keys in the configuration; docs/upstream.md explains them.
type Upstream struct {
	ID         string            `json:"-"`             // the key of the upstream in the setting upstreams
	Name       string            `json:"name"`          // on buttons and pages
	Issuer     string            `json:"issuer"`        // exactly as the upstream writes it
	ClientID   string            `json:"client_id"`     //
	SecretFile string            `json:"secret_file"`   // the file with the client secret
	Secret     string            `json:"-"`             // its content
	Auth       string            `json:"auth"`          // client_secret_basic, client_secret_post, private_key_jwt
	SigningAlg string            `json:"signing_alg"`   // of private_key_jwt
	Scopes     []string          `json:"scopes"`        //
	Claims     map[string]string `json:"claims"`        // the upstream's name of a claim, by Curfew's name
	TrustEmail bool              `json:"trust_email"`   // verified addresses of the upstream count here
	Domains    []string          `json:"domains"`       // of e-mail addresses: for hints, and for create_users
	Create     string            `json:"create_users"`  // off, any, domains
	ACR        map[string]string `json:"acr"`           // what an acr of the upstream counts as
	AMR        []string          `json:"amr"`           // the amr values of the upstream that count
	Logout     string            `json:"logout"`        // ask, always, never
	IDTokenAlg []string          `json:"id_token_algs"` // accepted signature algorithms
	Recheck    time.Duration     `json:"-"`             // how often a session is checked there; 0: never
	RecheckKey string            `json:"recheck"`       // Recheck as the configuration writes it
}
