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

// Store is what these endpoints ask of the store.
type Store interface {
	Sequence(ctx context.Context) (storage.Sequence, error)
	storage.Grants
	storage.Tokens
	storage.ReplayCache
	Client(ctx context.Context, id string) (*storage.Client, error)
	User(ctx context.Context, subject string) (storage.User, error)
}

// Ring verifies what we signed, signs userinfo answers, and opens what we wrapped (provider/keys).
type Ring interface {
	VerifyAccessToken(token string, at time.Time) (keys.AccessToken, error)
	Sign(alg, typ string, claims any) (string, error)
	UnwrapSecret(client string, wrapped []byte) ([]byte, error)
	JWKS() (body []byte, etag string)
}

// Fetcher fetches a JSON document, at most maxAge old (provider/egress).
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Server answers programs. All fields are needed but Log and Policy.
type Server struct {
	op.UnimplementedServer

	Issuer     string
	Store      Store
	Minter     *tokens.Minter
	Ring       Ring
	Terminator *logout.Terminator
	Fetch      Fetcher // jwks_uri
	Now        func() time.Time
	Log        *slog.Logger // nil: the default logger
	Policy     policy.Logout
}

var _ op.Server = (*Server)(nil)

// Endpoints are the handlers to be mounted, each for its one path and all methods.
type Endpoints struct {
	Token      http.Handler // RFC 6749 §3.2
	Introspect http.Handler // RFC 7662
	Revoke     http.Handler // RFC 7009
	UserInfo   http.Handler // Core §5.3
	JWKS       http.Handler // Discovery §3 jwks_uri
}

// The library's paths. Where the endpoints stand outside is for the mounting to say.
const (
	tokenPath      = "/token"
	introspectPath = "/introspect"
	revokePath     = "/revoke"
)

// Endpoints makes the handlers.
func (s *Server) Endpoints() Endpoints {
	// What is left nil is not registered: authorize and end_session are pages, and the library's are not used.
	library := op.RegisterServer(s, op.Endpoints{
		Token:         op.NewEndpoint(tokenPath),
		Introspection: op.NewEndpoint(introspectPath),
		Revocation:    op.NewEndpoint(revokePath),
	}, op.WithDecoder(decoder{}), op.WithServerCORSOptions(nil)) // its default CORS lets any origin in, with credentials
	return Endpoints{
		Token:      CORS(s.guard(tokenPath, library), http.MethodPost),
		Introspect: s.guard(introspectPath, library), // no CORS: resource servers are no browsers
		Revoke:     CORS(s.guard(revokePath, library), http.MethodPost),
		UserInfo:   CORS(s.recoverPanics(http.HandlerFunc(s.serveUserInfo)), http.MethodGet, http.MethodPost),
		JWKS:       CORS(http.HandlerFunc(s.serveJWKS), http.MethodGet),
	}
}

func (s *Server) logger() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
