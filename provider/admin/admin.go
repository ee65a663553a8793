// Package admin is the administration of a running provider: a JSON API over HTTP, and the client that the commands
// use. The API is for a Unix socket that only the operator can open.
//
//	curfew user, session … ──▶ Client ──▶ admin.sock ──▶ New ──▶ one file for each resource
//
// The API does not authenticate its callers: the mode of the socket protects it. Every change writes an audit line by
// "admin". Terminations go through package logout. One transaction stores a change and ends the sessions. The API
// refuses unknown members and query parameters, and its error suggests the most similar known name. It limits the size
// of bodies. The answer to a failed request is an [Error].
//
// openapi.yaml describes every route; a test compares the two.
package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/storage"
)

// actor is the author of administrative changes in the audit trail if the OS user of the caller is not known.
const actor = "admin"

// callerKey is the key of the caller's OS user in a context.
type callerKey struct{}

// WithCaller returns a context for requests from this OS user. The author of their changes is "admin:USER".
func WithCaller(ctx context.Context, osUser string) context.Context {
	return context.WithValue(ctx, callerKey{}, osUser)
}

// actorOf returns the author of the changes of a request.
func actorOf(ctx context.Context) string {
	if osUser, _ := ctx.Value(callerKey{}).(string); osUser != "" {
		return actor + ":" + osUser
	}
	return actor
}

// Store is the part of a store that the API uses.
type Store interface {
	UserStore
	FactorStore
	ClientStore
	SessionStore
	BulkLogoutStore
	ReportStore
	DeliveryStore
	EventStore
	OneTimeLinkStore
	InitialAccessTokenStore
	StatusStore
}

// PasswordHasher hashes passwords (password.Hasher).
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (string, error)
}

// PasswordRules refuses weak passwords (password.Rules).
type PasswordRules interface {
	Check(password string, account password.Account) error
}

// Keys are the provider's keys (keys.Ring).
type Keys interface {
	List(at time.Time) []keys.Info
	Rotate(ctx context.Context, at time.Time, atOnce bool, by string) error
	Revoke(ctx context.Context, at time.Time, id, by string) error
	Algorithms() []string
	Sign(alg, typ string, claims any) (string, error)
	AuditKey() storage.AuditKey
}

// Registrar makes client records from metadata (register.Registrar). newSecret is empty if the client has no new
// secret.
type Registrar interface {
	NewClient(
		ctx context.Context,
		m storage.Metadata,
		secret string,
	) (c storage.Client, newSecret string, err error)
	UpdateClient(
		ctx context.Context,
		old *storage.Client,
		m storage.Metadata,
		secret string,
	) (c storage.Client, newSecret string, err error)
}

// Refusals has the last refused requests of each client, newest first (web.RefusalLog).
type Refusals interface {
	Of(client string) []storage.ClientRefusal
}

// Egress calls relying parties (egress.Client).
type Egress interface {
	Check(ctx context.Context, url string) error
	PostForm(ctx context.Context, target string, form url.Values) (egress.Response, error)
}

// Config has the dependencies of the API. MaxTrustHorizon, Log and Backup are optional.
type Config struct {
	Issuer         string // no trailing slash
	Version        string
	Started        time.Time
	Store          Store
	Terminator     *logout.Terminator
	PasswordHasher PasswordHasher
	PasswordRules  PasswordRules
	Limiter        authn.Limiter // of sign-in attempts; a new password resets the limit of its account
	Keys           Keys
	Registrar      Registrar
	Egress         Egress
	Outbox         Outbox
	Upstreams      upstream.Set
	Notices        *mail.Notices // nil: Curfew sends no mail
	SignUp         policy.SignUp
	ResetURL       func(secret string) string // the URL of a password reset link with this secret
	EnrolURL       func(secret string) string // the URL of an enrolment link

	APIScopes       storage.APIScopes
	MaxTrustHorizon time.Duration // 0: no limit
	Lifetimes       logout.Lifetimes

	Now func() time.Time
	Log *slog.Logger // nil: the default logger

	Refusals Refusals

	Backup func(ctx context.Context, w io.Writer) error // nil: the store has other means for backups
}

var (
	_ Registrar      = (*register.Registrar)(nil)
	_ Keys           = (*keys.Ring)(nil)
	_ Egress         = (*egress.Client)(nil)
	_ Outbox         = (*logout.Dispatcher)(nil)
	_ PasswordHasher = (*password.Hasher)(nil)
	_ PasswordRules  = password.Rules{}
)

// New returns the handler of the whole API.
func New(c Config) (http.Handler, error) {
	a := &api{Config: c}
	mux := http.NewServeMux()
	for _, route := range a.routes() {
		handle := route.handle
		if route.method != http.MethodGet {
			handle = withWaitLimit(withoutQuery(handle))
		}
		mux.Handle(route.method+" "+route.path, a.handleErrors(handle))
	}
	mux.Handle("/", a.handleErrors(func(w http.ResponseWriter, r *http.Request) error { return notFound(mux, w, r) }))
	return mux, nil
}

// notFound answers requests that match no route: with 405 if the path has other methods, else with 404.
func notFound(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		_, pattern := mux.Handler(&http.Request{Method: method, Host: r.Host, URL: r.URL})
		hasRoute := pattern != "/"
		if hasRoute {
			methods = append(methods, method)
		}
	}
	if len(methods) == 0 {
		return &Error{
			Status:  http.StatusNotFound,
			Code:    "not_found",
			Message: "there is no " + r.URL.Path + "; GET /openapi.json lists what there is",
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return &Error{
		Status:  http.StatusMethodNotAllowed,
		Code:    "wrong_method",
		Message: r.URL.Path + " takes no " + r.Method + ", but " + strings.Join(methods, ", "),
	}
}

type api struct{ Config }

// auditEvent returns an audit event by the administrator.
func (a *api) auditEvent(ctx context.Context, kind string) storage.Event {
	return storage.Event{At: a.Now(), Kind: kind, By: actorOf(ctx)}
}
