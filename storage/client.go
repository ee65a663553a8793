package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Metadata is the metadata of a client. The names are those of RFC 7591, OpenID Connect Registration 1.0 §2 and the
// logout specifications. Curfew adds some settings of its own; the zero value of each is the strict default.
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
	TokenEndpointAuthMethod   string          `json:"token_endpoint_auth_method,omitempty"` // see AcceptsAuthMethod
	TokenEndpointAuthAlg      string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	DefaultMaxAge             *int            `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime           bool            `json:"require_auth_time,omitempty"`
	DefaultACRValues          []string        `json:"default_acr_values,omitempty"`
	InitiateLoginURI          string          `json:"initiate_login_uri,omitempty"`
	RequestURIs               []string        `json:"request_uris,omitempty"`
	Scope                     string          `json:"scope,omitempty"` // scopes it may request; empty: every scope
	PostLogoutRedirectURIs    []string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI      string          `json:"backchannel_logout_uri,omitempty"`
	BackchannelSessionReq     bool            `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string          `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSessionReq    bool            `json:"frontchannel_logout_session_required,omitempty"`

	// The settings that Curfew adds.

	// RequirePKCE true requires PKCE, false does not. Unset: see MayOmitPKCE.
	RequirePKCE *bool `json:"require_pkce,omitempty"`
	// AssertionAudience is the aud that the client's assertions must have: issuer, or empty for the issuer or the token
	// endpoint.
	AssertionAudience string `json:"assertion_audience,omitempty"`
	// AccessTokenFormat is opaque (default) or jwt (RFC 9068).
	AccessTokenFormat string `json:"access_token_format,omitempty"`
	// AccessTokenTyp is the typ of JWT access tokens: at+jwt (default) or JWT.
	AccessTokenTyp string `json:"access_token_typ,omitempty"`
	// IDTokenClaims are the claims about the user in ID tokens, besides those that the claims parameter requests.
	IDTokenClaims ClaimRules `json:"id_token_claims,omitempty"`
	// UserinfoClaims are the claims of userinfo responses, besides those of the granted scopes.
	UserinfoClaims ClaimRules `json:"userinfo_claims,omitempty"`
	// AccessTokenClaims are the claims about the user in JWT access tokens.
	AccessTokenClaims ClaimRules `json:"access_token_claims,omitempty"`
	// Audience lists the audiences of the client's access tokens; none is a client_id. Default for opaque tokens: its
	// client_id. JWT access tokens need an audience.
	Audience []string `json:"audience,omitempty"`
	// AllowHTTP lets redirect URIs and logout URIs be http at hosts that are not this machine, inside a trusted network.
	AllowHTTP bool `json:"allow_http,omitempty"`
	// AllowSchemes lists private-use URI schemes without a dot that the redirect URIs of a native client may have.
	AllowSchemes []string `json:"allow_schemes,omitempty"`
	// Introspect lists the client_ids of the resource servers that may introspect the client's access tokens.
	Introspect []string `json:"introspect,omitempty"`
	// Consent is ask (default) or skip.
	Consent string `json:"consent,omitempty"`
	// LogoutTokenTyp is the typ of logout tokens: logout+jwt (default), JWT, or none.
	LogoutTokenTyp string `json:"logout_token_typ,omitempty"`
	// LogoutTokenClaims names the claims of a logout token that identify the user: both (default), sid or sub.
	LogoutTokenClaims string `json:"logout_token_claims,omitempty"`
	// BackendLogout is the scope of a logout request with an ID token hint but without a session cookie: client
	// (default), session or none.
	BackendLogout string `json:"backend_logout,omitempty"`
	// LogoutScope is the scope of the client's logout requests. Empty: the deployment's default.
	LogoutScope LogoutScope `json:"logout_scope,omitempty"`
	// RequireAuthn is the authentication that the client requires: password, mfa or
	// passkey. The deployment may require more.
	RequireAuthn string `json:"require_authn,omitempty"`
	// AdmitGroups lists the groups whose members may sign in to the client. Empty: every user may.
	AdmitGroups []string `json:"admit_groups,omitempty"`
	// RefreshTokens names the refresh tokens that the client may hold: session, offline, or empty for both.
	RefreshTokens string `json:"refresh_tokens,omitempty"`
	// CheckSession adds session_state to the client's authorization responses (Session Management 1.0).
	CheckSession bool `json:"check_session,omitempty"`

	// The behaviour that the client declares. Its trust horizon is computed from it.

	// SessionExpiry is the longest session_expiry that the client's ID tokens get, in seconds. The client promises to
	// end its own session at that claim.
	SessionExpiry int `json:"session_expiry,omitempty"`
	// IntrospectionCache is for how many seconds the client's resource servers cache an introspection response.
	IntrospectionCache int `json:"introspection_cache,omitempty"`
	// SessionWithTokens: the client ends its session when its access token expires, unless it refreshes it.
	SessionWithTokens bool `json:"session_with_tokens,omitempty"`
	// Confirmations says whether a 200 to a logout token shows that the client ended its session: trusted (default)
	// or untrusted.
	Confirmations string `json:"confirmations,omitempty"`
	// ClockSkew is the tolerance that the client allows when it checks exp, in seconds. Default 60.
	ClockSkew *int `json:"clock_skew,omitempty"`
	// Renotify sends a second logout token if the client joined less than 30 s before the termination. Default true.
	Renotify *bool `json:"renotify,omitempty"`
	// NotifyInitiator sends the client a logout token even for a logout that it started and after which the browser
	// returns to it. Default true.
	NotifyInitiator *bool `json:"notify_initiator,omitempty"`
}

// Client is a client: a relying party, as the OP knows it.
type Client struct {
	Metadata
	SecretHash        Hash   `json:"secret_hash,omitzero"`        // of the client_secret
	SecretWrapped     []byte `json:"secret_wrapped,omitempty"`    // the client_secret, only for client_secret_jwt
	RegistrationToken Hash   `json:"registration_token,omitzero"` // hash of the registration access token (RFC 7592)
	Dynamic           bool   `json:"dynamic,omitempty"`           // registered dynamically (RFC 7591)
	SectorHost        string `json:"sector_host,omitempty"`       // for pairwise subjects: Metadata.Sector
	Disabled          bool   `json:"disabled,omitempty"`

	// IntrospectionCachedUntil is set when introspection_cache is lowered: until then a resource server may still
	// cache an introspection response for the longer time.
	IntrospectionCachedUntil time.Time `json:"introspection_cached_until,omitzero"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Revision counts writes. 0 means that the client is not stored yet. A client that is removed and created again
	// never gets a revision that it had before.
	Revision uint64 `json:"revision"`
	// Sequence is that of the transaction that created the client. The store sets it.
	Sequence Sequence `json:"sequence,omitempty"`
}

// Clients stores clients. Disabling or removing a client also ends its client sessions; use EndSessions for both.
// Callers must not change the clients that the methods return: all callers get the same pointers.
type Clients interface {
	// PutClient stores c and adds the audit lines, in one transaction. Revision 0 creates the client (ErrExists).
	// Otherwise c.Revision must equal the stored revision (ErrChanged, ErrNotFound).
	PutClient(ctx context.Context, c Client, e ...Event) error
	// RegisterClient creates c, takes one use off the initial access token with that hash, and adds the audit lines,
	// in one transaction. ErrRevoked if the token is unknown, expired or used up. The zero hash stands for no token.
	RegisterClient(ctx context.Context, c Client, token Hash, at time.Time, e ...Event) error
	// Client finds a client, disabled or not. It needs no disk access for clients that an operator registered.
	Client(ctx context.Context, id string) (*Client, error)
	// ListClients lists clients by id.
	ListClients(ctx context.Context, p Page) (clients []*Client, next string, err error)
	// DynamicClientUsage returns how much room the dynamic clients take. It needs no disk access.
	DynamicClientUsage(ctx context.Context) (ClientUsage, error)
	// UnusedClients lists up to limit dynamic clients by id: those that never got a token and were created before
	// neverUsed, and those that got their latest token before disused. The store dates the latest token up to
	// UseInterval too early.
	UnusedClients(ctx context.Context, neverUsed, disused time.Time, limit int) (ids []string, err error)
	// ClientActivity returns the activity of a client. It is zero for a client that is not stored.
	ClientActivity(ctx context.Context, id string) (ClientActivity, error)
	// PutRefusals stores the last refusals of clients, by client_id, in one transaction. It ignores clients that are
	// not stored, and refusals that are not later than the stored ones.
	PutRefusals(ctx context.Context, refusals map[string]ClientRefusal) error
}

// ClientUsage says how much room clients take in the store.
type ClientUsage struct {
	Clients int
	Bytes   int64 // of their records
}

// UseInterval is the precision with which a store dates the latest use of a dynamic client: it does not write a use
// that follows the recorded one within this time.
const UseInterval = 12 * time.Hour
