package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// Store is the part of storage.Store that this package uses.
type Store interface {
	Sequence(ctx context.Context) (storage.Sequence, error)
	storage.Grants
	storage.Tokens
	storage.ReplayCache
	Client(ctx context.Context, id string) (*storage.Client, error)
	User(ctx context.Context, subject string) (storage.User, error)
}

// Ring verifies access tokens, signs UserInfo responses and unwraps client secrets (provider/keys).
type Ring interface {
	VerifyAccessToken(token string, at time.Time) (keys.AccessToken, error)
	Sign(alg, typ string, claims any) (string, error)
	UnwrapSecret(client string, wrapped []byte) ([]byte, error)
	JWKS() (body []byte, etag string)
}

// Fetcher fetches a JSON document of at most maxBytes. A cached document may be up to maxAge old (provider/egress).
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Server implements the endpoints. All fields except Log and Policy are required.
type Server struct {
	op.UnimplementedServer

	Issuer     string
	Store      Store
	Minter     *tokens.Minter
	Ring       Ring
	Terminator *logout.Terminator
	Fetch      Fetcher // fetches the documents at jwks_uri
	SelfFetch  Fetcher // the same for clients that registered themselves
	Now        func() time.Time
	Log        *slog.Logger // nil: the default logger
	Policy     policy.Logout

	// RequiredACR returns the authentication context class that the operator demands of the grant's user and that the
	// grant does not meet; empty: it meets all. nil: none is demanded.
	RequiredACR func(g *storage.Grant, c *storage.Client, user storage.User) string
}

var _ op.Server = (*Server)(nil)

// Endpoints are the handlers. The caller mounts each at one path, for all methods.
type Endpoints struct {
	Token      http.Handler // RFC 6749 §3.2
	Introspect http.Handler // RFC 7662
	Revoke     http.Handler // RFC 7009
	UserInfo   http.Handler // Core §5.3
	JWKS       http.Handler // Discovery §3 jwks_uri
}

// Paths inside the library. The mounted endpoints may have other paths.
const (
	tokenPath      = "/token"
	introspectPath = "/introspect"
	revokePath     = "/revoke"
)

// Endpoints returns the handlers.
func (s *Server) Endpoints() Endpoints {
	// The library registers only the endpoints that are set. Its authorize and end_session are not used.
	library := op.RegisterServer(s, op.Endpoints{
		Token:         op.NewEndpoint(tokenPath),
		Introspection: op.NewEndpoint(introspectPath),
		Revocation:    op.NewEndpoint(revokePath),
		// WithServerCORSOptions(nil) removes the library's CORS, which allows every origin to send credentials.
	}, op.WithDecoder(decoder{}), op.WithServerCORSOptions(nil))
	return Endpoints{
		Token:      CORS(s.guard(tokenPath, library), http.MethodPost),
		Introspect: s.guard(introspectPath, library), // no CORS: resource servers are not browsers
		Revoke:     CORS(s.guard(revokePath, library), http.MethodPost),
		UserInfo:   CORS(s.recoverPanics(http.HandlerFunc(s.serveUserInfo)), http.MethodGet, http.MethodPost),
		JWKS:       CORS(http.HandlerFunc(s.serveJWKS), http.MethodGet),
	}
}

// logger returns the configured logger or, without one, the default logger.
func (s *Server) logger() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
