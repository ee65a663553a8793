package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Metadata is a relying party's metadata under the names of RFC 7591, OpenID Connect Registration 1.0 §2 and the logout
// specifications, and Curfew's few choices beyond them. The zero value of each choice is the strict default.
type Metadata struct {
	ClientID                  string          `json:"client_id,omitempty"`
	ClientName                string          `json:"client_name,omitempty"`
	RedirectURIs              []string        `json:"redirect_uris,omitempty"`
	ResponseTypes             []string        `json:"response_types,omitempty"` // default code
	GrantTypes                []string        `json:"grant_types,omitempty"`    // default authorization_code
	ApplicationType           string          `json:"application_type,omitempty"`
	Contacts                  []string        `json:"contacts,omitempty"`
	LogoURI                   string          `json:"logo_uri,omitempty"`
	ClientURI                 string          `json:"client_uri,omitempty"`
	PolicyURI                 string          `json:"policy_uri,omitempty"`
	TOSURI                    string          `json:"tos_uri,omitempty"`
	JWKSURI                   string          `json:"jwks_uri,omitempty"`
	JWKS                      json.RawMessage `json:"jwks,omitempty"`
	SectorIdentifierURI       string          `json:"sector_identifier_uri,omitempty"`
	SubjectType               string          `json:"subject_type,omitempty"` // public (default), pairwise
	IDTokenSignedResponseAlg  string          `json:"id_token_signed_response_alg,omitempty"`
	UserinfoSignedResponseAlg string          `json:"userinfo_signed_response_alg,omitempty"`
	RequestObjectSigningAlg   string          `json:"request_object_signing_alg,omitempty"`
	TokenEndpointAuthMethod   string          `json:"token_endpoint_auth_method,omitempty"` // empty: client_secret_basic or client_secret_post
	TokenEndpointAuthAlg      string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	DefaultMaxAge             *int            `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime           bool            `json:"require_auth_time,omitempty"`
	DefaultACRValues          []string        `json:"default_acr_values,omitempty"`
	InitiateLoginURI          string          `json:"initiate_login_uri,omitempty"`
	RequestURIs               []string        `json:"request_uris,omitempty"`
	Scope                     string          `json:"scope,omitempty"` // what it may ask for; empty: every scope
	PostLogoutRedirectURIs    []string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI      string          `json:"backchannel_logout_uri,omitempty"`
	BackchannelSessionReq     bool            `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string          `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSessionReq    bool            `json:"frontchannel_logout_session_required,omitempty"`

	// Curfew's choices.
	RequirePKCE       *bool       `json:"require_pkce,omitempty"`        // without it: PKCE or nonce; a public client always PKCE
	AssertionAudience string      `json:"assertion_audience,omitempty"`  // of its client assertions: issuer; empty: or the token endpoint
	AccessTokenFormat string      `json:"access_token_format,omitempty"` // opaque (default), jwt (RFC 9068)
	AccessTokenTyp    string      `json:"access_token_typ,omitempty"`    // typ of a JWT: at+jwt (default), JWT
	IDTokenClaims     string      `json:"id_token_claims,omitempty"`     // empty: those that the claims parameter requests; scope: the scope's too
	Audience          []string    `json:"audience,omitempty"`            // audiences of its access tokens; default its client_id
	Consent           string      `json:"consent,omitempty"`             // ask (default), skip
	LogoutTokenTyp    string      `json:"logout_token_typ,omitempty"`    // logout+jwt (default), JWT, none
	LogoutTokenClaims string      `json:"logout_token_claims,omitempty"` // both (default), sid, sub
	BackendLogout     string      `json:"backend_logout,omitempty"`      // client (default), session, none: what a hint without a cookie ends
	LogoutScope       LogoutScope `json:"logout_scope,omitempty"`        // what its logout requests end; empty: the deployment's default
	RefreshTokens     string      `json:"refresh_tokens,omitempty"`      // which it may hold: empty (both), session, offline
	CheckSession      bool        `json:"check_session,omitempty"`       // Session Management 1.0: it gets session_state

	// What the relying party declares that it honours; this is what its trust horizon rests on.
	SessionExpiry      int    `json:"session_expiry,omitempty"`      // seconds: it ends its session at the session_expiry claim, given for at most this long
	IntrospectionCache int    `json:"introspection_cache,omitempty"` // seconds for which its resource servers keep an introspection answer
	SessionWithTokens  bool   `json:"session_with_tokens,omitempty"` // its session ends with its access token unless refreshed
	Confirmations      string `json:"confirmations,omitempty"`       // what its answers to logout tokens are worth: trusted (default), untrusted
	ClockSkew          *int   `json:"clock_skew,omitempty"`          // seconds; default 60
	Renotify           *bool  `json:"renotify,omitempty"`            // notified once more if it joined less than 30 s before the termination; default true
}

// Client is a relying party.
type Client struct {
	Metadata
	SecretHash        Hash   `json:"secret_hash,omitzero"`        // of the client_secret
	SecretWrapped     []byte `json:"secret_wrapped,omitempty"`    // the secret itself, wrapped, where client_secret_jwt needs it
	RegistrationToken Hash   `json:"registration_token,omitzero"` // RFC 7592 registration access token
	Dynamic           bool   `json:"dynamic,omitempty"`           // registered by RFC 7591
	SectorHost        string `json:"sector_host,omitempty"`       // pairwise: the host that subjects are computed for (Core §8.1)
	Disabled          bool   `json:"disabled,omitempty"`          //

	// IntrospectionCachedUntil is when resource servers have discarded the introspection answers that they got before
	// introspection_cache was lowered; zero if it never was.
	IntrospectionCachedUntil time.Time `json:"introspection_cached_until,omitzero"`

	Created  time.Time `json:"created"`            //
	Updated  time.Time `json:"updated"`            //
	Revision uint64    `json:"revision"`           // counts writes; 0 is a client not stored yet. None comes again when a client is removed and added anew
	Sequence Sequence  `json:"sequence,omitempty"` // of the transaction that created it; the store sets it
}

// Clients stores clients. Disabling and removal end client sessions and therefore go through EndSessions. The returned
// pointers are shared and must not be changed.
type Clients interface {
	// PutClient stores c and adds the audit lines, in one transaction. Revision 0 creates it (ErrExists); otherwise
	// Revision must be the stored one (ErrChanged, ErrNotFound).
	PutClient(ctx context.Context, c Client, e ...Event) error
	// RegisterClient creates c, takes one use off the initial access token with that hash, and adds the audit lines,
	// in one transaction. ErrRevoked if the token is unknown, expired or used up. A zero token is none.
	RegisterClient(ctx context.Context, c Client, token Hash, at time.Time, e ...Event) error
	// Client finds a client, disabled or not. It costs no disk access.
	Client(ctx context.Context, id string) (*Client, error)
	// ListClients lists clients by id.
	ListClients(ctx context.Context, p Page) (clients []*Client, next string, err error)
}
