// Package provider is the OpenID provider: it puts its parts together and says, in routes.go and nowhere else, which URL leads to which.
//
//	signin   /authorize, /login/…, /consent/…       web       what all pages share
//	signout  /end_session, /signed-out/…            keys      signing, sealing, deriving
//	account  /account…                              tokens    what is minted
//	oauth    /token, /userinfo, /introspect, …      egress    everything that leaves
//	register /register…                             authn     proving who a user is
//	admin    the Unix socket                        password  hashing
//
// It runs on any store and ends sessions only through logout.Ender.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/signin"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Config is what a provider is made of. Issuer, Store, Ring, Egress, Sessions and Tokens are needed.
type Config struct {
	Issuer           string // no trailing slash
	Version          string // of the program, for administrators
	Store            storage.Store
	Ring             *keys.Ring
	Egress           Egress
	TrustedProxies   []netip.Prefix   // whose X-Forwarded-For counts
	Now              func() time.Time // nil: time.Now
	Log              *slog.Logger     // nil: the default logger
	SessionLifetimes signin.Lifetimes
	TokenLifetimes   tokens.Lifetimes

	LogoutScope             storage.LogoutScope // what a sign-out ends by default; empty: this browser
	LogoutAlwaysConfirm     bool                // ask even where the hint would spare the question
	LogoutRedirectDelay     time.Duration       // how long the signed-out page waits before it goes on; 0: the page's default
	SilentExpiry            bool                // expired sessions are not told to anyone
	ReportRetention         time.Duration
	RefreshReuseEndsSession bool // a refresh token used twice ends the whole session
	PasswordChangeEndsAll   bool // a password change ends this session too, not only the others
	MaxTrustHorizon         time.Duration
	CheckSession            bool // Session Management 1.0

	PasswordCost   password.Cost         // of new hashes; zero: the default
	Authenticators []authn.Authenticator // the ways to sign in, the first is offered first; nil: the password

	RegistrationMode     register.Mode
	RegistrationDefaults json.RawMessage
	PublicWithoutPKCE    bool // public clients may be registered without PKCE by an operator
	AllowLogos           bool

	Observe logout.Observer // metrics
}

// Egress is everything that leaves the process (provider/egress).
type Egress interface {
	Check(ctx context.Context, url string) error
	PostForm(ctx context.Context, target string, form url.Values) (egress.Response, error)
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
	FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Provider serves the main listener (ServeHTTP) and the Unix socket (Admin). Run does the work in the background.
type Provider struct {
	config         Config
	site           *web.Site
	hasher         *password.Hasher
	authenticators []authn.Authenticator // the ways to sign in; the first is offered first
	minter         *tokens.Minter
	registrar      *register.Registrar
	terminator     *logout.Terminator
	dispatcher     *logout.Dispatcher
	handler        http.Handler
	admin          http.Handler
	draining       atomic.Bool
}

// New makes a provider. It starts nothing.
func New(c Config) (*Provider, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.LogoutScope == "" {
		c.LogoutScope = storage.ScopeSession
	}
	if c.SessionLifetimes.Interaction == 0 {
		c.SessionLifetimes.Interaction = time.Hour
	}
	p := &Provider{config: c, hasher: password.NewHasher(c.PasswordCost), authenticators: c.Authenticators}
	if p.authenticators == nil {
		p.authenticators = []authn.Authenticator{
			&authn.Password{Users: c.Store, Hasher: p.hasher, Limiter: authn.Limiter{Store: c.Store}, Log: c.Log},
		}
	}
	p.site = &web.Site{Issuer: c.Issuer, Sessions: c.Store, Sealer: c.Ring, Now: c.Now, TrustedProxies: c.TrustedProxies, Log: c.Log, CheckSession: c.CheckSession, ShowLogos: c.AllowLogos}
	p.minter = &tokens.Minter{Issuer: c.Issuer, Ring: c.Ring, Lifetimes: c.TokenLifetimes}
	subject := func(u storage.User, client *storage.Client) string { return p.minter.SubjectFor(u.Subject, client) }
	p.dispatcher = &logout.Dispatcher{Store: c.Store, Sign: p.signLogoutToken, Post: p.postLogoutToken, Now: c.Now, Issuer: c.Issuer, Log: c.Log, Observer: c.Observe}
	p.terminator = &logout.Terminator{Store: c.Store, Now: c.Now, Wake: p.dispatcher.Wake, Issuer: c.Issuer, SubjectFor: subject, Lifetimes: p.maxLifetimes(),
		ReportRetention: c.ReportRetention, SilentExpiry: c.SilentExpiry, Log: c.Log, Observer: c.Observe}
	p.registrar = &register.Registrar{Policy: register.Policy{SigningAlgs: c.Ring.Algorithms(), SelfServiceScopes: tokens.Scopes(), AllowUnsignedIDTokens: true, PublicWithoutPKCE: c.PublicWithoutPKCE, MaxTrustHorizon: c.MaxTrustHorizon, Lifetimes: p.maxLifetimes()},
		Fetch: c.Egress, WrapSecret: c.Ring.WrapSecret, Now: c.Now}
	if err := p.checkTrustHorizon(); err != nil {
		return nil, err
	}
	var err error
	if p.handler, err = p.routes(); err != nil {
		return nil, err
	}
	if p.admin, err = p.adminRoutes(); err != nil {
		return nil, err
	}
	return p, nil
}

// ServeHTTP serves the main listener.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Admin serves the Unix socket.
func (p *Provider) Admin() http.Handler { return p.admin }

// Drain makes /readyz answer 503, so that nobody sends more; requests are still served.
func (p *Provider) Drain() { p.draining.Store(true) }

// Run delivers logout tokens, ends what expires and replaces keys, until ctx ends; then it finishes what is in flight and returns.
func (p *Provider) Run(ctx context.Context) {
	var workers sync.WaitGroup
	workers.Go(func() { p.dispatcher.Run(ctx) })
	workers.Go(func() { p.terminator.Run(ctx) })
	workers.Go(func() {
		p.config.Ring.Run(ctx, func(err error) { p.config.Log.ErrorContext(ctx, "keys not maintained", "err", err) })
	})
	workers.Wait()
}

// maxLifetimes are the longest ones of the deployment, as far as bounds depend on them.
func (p *Provider) maxLifetimes() logout.Lifetimes {
	c := p.config
	return logout.Lifetimes{Opaque: c.TokenLifetimes.Opaque, JWT: c.TokenLifetimes.JWT, Session: max(c.SessionLifetimes.Absolute, c.SessionLifetimes.RememberAbsolute)}
}

// signLogoutToken signs a logout token as that client's ID tokens are signed (Back-Channel Logout 1.0 §2.4), never with none.
func (p *Provider) signLogoutToken(_ context.Context, d storage.Delivery, _ string, _, _ time.Time, claims map[string]any) (string, error) {
	alg, typ := d.Alg, d.Typ
	if alg == "" || alg == "none" {
		alg = keys.RS256
	}
	switch typ {
	case "":
		typ = "logout+jwt"
	case "none":
		typ = ""
	}
	return p.config.Ring.Sign(alg, typ, claims)
}

// postLogoutToken brings a logout token through the guarded client.
func (p *Provider) postLogoutToken(ctx context.Context, uri string, form url.Values) (logout.Reply, error) {
	answer, err := p.config.Egress.PostForm(ctx, uri, form)
	if err != nil {
		return logout.Reply{}, err
	}
	return logout.Reply{Status: answer.Status, RetryAfter: answer.RetryAfter, Detail: answer.Body}, nil
}

// checkTrustHorizon refuses to start where a stored client breaks max_trust_horizon, naming all of them.
func (p *Provider) checkTrustHorizon() error {
	if p.config.MaxTrustHorizon == 0 {
		return nil
	}
	var errs []error
	for after := ""; ; {
		clients, next, err := p.config.Store.ListClients(context.Background(), storage.Page{After: after})
		if err != nil {
			return fmt.Errorf("list clients: %w", err)
		}
		for _, c := range clients {
			if c.Disabled {
				continue
			}
			for _, violation := range logout.CheckMaxHorizon(p.config.MaxTrustHorizon, c, p.maxLifetimes()) {
				errs = append(errs, fmt.Errorf("client %s breaks max_trust_horizon: %w", c.ClientID, violation))
			}
		}
		if next == "" {
			return errors.Join(errs...)
		}
		after = next
	}
}
