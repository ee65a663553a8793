// Package provider is the OpenID provider. It builds and connects the packages below. routes.go lists all URLs.
//
//	signin   /authorize, /login/…, /consent/…       web       cookies, headers and errors of all pages
//	signout  /end_session, /signed-out/…            keys      signing, sealing, deriving
//	account  /account…                              tokens    ID tokens, access tokens, codes
//	upstream /upstream/…                            egress    every outgoing request
//	oauth    /token, /userinfo, /introspect, …
//	register /register…                             password  hashing
//	admin    the Unix socket                        authn     authentication of users
//	                                                policy    the operator's settings
//	                                                mail      SMTP, and messages that wait for it
//
// It works with every implementation of storage.Store. Only logout.Terminator ends sessions.
package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/account"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Config holds the dependencies and settings of a Provider. Issuer, Store, Ring, Egress, Session and Token are
// required.
type Config struct {
	Issuer  string // without a trailing slash
	Version string // of the program; the admin API shows it
	Store   storage.Store
	Ring    *keys.Ring
	Egress  Egress
	// SelfRegisteredEgress makes the requests for clients that registered themselves; nil: Egress.
	SelfRegisteredEgress Egress
	TrustedProxies       []netip.Prefix   // their X-Forwarded-For is believed
	Now                  func() time.Time // nil: time.Now
	Log                  *slog.Logger     // nil: the default logger
	Observe              logout.Observer  // receives metrics

	Authn           policy.Authn
	Session         policy.Session
	Token           policy.Token
	Logout          policy.Logout
	Registration    policy.Registration
	Audit           policy.Audit
	SignUp          policy.SignUp     // needs Mail
	APIScopes       storage.APIScopes // scopes of APIs that the operator declared
	Upstreams       []policy.Upstream // other providers with whose accounts users sign in
	MaxTrustHorizon time.Duration     // 0: no limit
	HSTS            web.HSTS
	CheckSession    bool          // Session Management 1.0
	PasswordCost    password.Cost // for new hashes; zero: the default
	Mail            mail.Sender   // nil: Curfew sends no mail
	// PasswordRules refuse weak new passwords. The provider sets their ContextWords and SecondFactorRequired.
	PasswordRules password.Rules

	Authenticators []authn.Authenticator // the ways to sign in; nil: password only

	// Backup writes a backup of the store, for the admin API. Nil: the store has other means for backups.
	Backup func(ctx context.Context, w io.Writer) error
}

// Egress makes every outgoing request (provider/egress).
type Egress interface {
	Check(ctx context.Context, url string) error
	CheckURL(url string) error
	PostForm(ctx context.Context, target string, form url.Values) (egress.Response, error)
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
	FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
	HTTPClient() *http.Client
}

// Provider serves the main listener (ServeHTTP) and the Unix socket (Admin). Run does its background work.
type Provider struct {
	config         Config
	site           *web.Site
	hasher         *password.Hasher
	limiter        authn.Limiter
	authenticators []authn.Authenticator // the ways to sign in; the first is offered first
	totp           *authn.TOTP
	recovery       *authn.RecoveryCodes
	passkeys       *authn.Passkeys // nil: the issuer's host cannot have any
	upstreams      upstream.Set
	minter         *tokens.Minter
	registrar      *register.Registrar
	registration   *register.Handler
	terminator     *logout.Terminator
	dispatcher     *logout.Dispatcher
	outbox         *mail.Outbox        // nil: Curfew sends no mail
	notices        *mail.Notices       // nil: Curfew sends no mail
	resetMails     *account.ResetMails // nil: Curfew sends no mail
	signUps        *account.SignUps    // nil: not everyone may sign up
	checkpoints    *checkpointer
	refusals       *web.RefusalLog
	handler        http.Handler
	admin          http.Handler
	readiness      readiness
	draining       atomic.Bool
}

// New builds a provider. It starts no goroutine. It returns an error if a stored client breaks MaxTrustHorizon.
func New(c Config) (*Provider, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.SelfRegisteredEgress == nil {
		c.SelfRegisteredEgress = c.Egress
	}
	if c.Logout.Scope == "" {
		c.Logout.Scope = storage.ScopeSession
	}
	refusals := &web.RefusalLog{IsClient: func(ctx context.Context, id string) bool {
		_, err := c.Store.Client(ctx, id)
		return err == nil
	}}
	c.Log = slog.New(refusals.Handler(c.Log.Handler()))
	p := &Provider{
		refusals: refusals,

		config:  c,
		hasher:  password.NewHasher(c.PasswordCost),
		limiter: authn.Limiter{Store: c.Store, Refunds: &authn.Refunds{}},
		minter: &tokens.Minter{
			Issuer:    c.Issuer,
			Ring:      c.Ring,
			Lifetimes: c.Token,
			APIScopes: c.APIScopes,
			StatedACR: authn.StatedACR,
		},
	}
	passkeys, err := authn.NewPasskeys(c.Issuer, c.Store, p.limiter)
	if err != nil && authn.RequiredACR(c.Authn.AllRequirements()...) == authn.ACRPasskey {
		return nil, fmt.Errorf(
			"authn.require or authn.require_groups is passkey, and the issuer %s cannot have any: %w",
			c.Issuer,
			err,
		)
	}
	if err != nil {
		c.Log.Warn("passkeys are off: the issuer's host cannot have any", "err", err)
	}
	if c.Mail != nil {
		p.outbox = p.newOutbox()
		p.notices = &mail.Notices{Outbox: p.outbox, Issuer: c.Issuer}
		p.resetMails = p.newResetMails()
		if c.SignUp.Mode == policy.SignUpOpen {
			p.signUps = p.newSignUps()
		}
	}
	p.passkeys = passkeys
	if passkeys != nil {
		passkeys.Notify = p.notifyOfFactor
	}
	p.site = p.newSite()
	p.authenticators = p.newAuthenticators()
	p.totp = &authn.TOTP{
		Store:   c.Store,
		Secrets: c.Ring,
		Limiter: p.limiter,
		Issuer:  issuerHost(c.Issuer),
		Notify:  p.notifyOfFactor,
	}
	p.recovery = &authn.RecoveryCodes{Store: c.Store, Limiter: p.limiter}
	p.upstreams = p.newUpstreams()
	p.dispatcher = p.newDispatcher()
	p.terminator = p.newTerminator()
	p.checkpoints = p.newCheckpointer()
	p.registrar = p.newRegistrar()
	p.registration = p.newRegistration()
	if err := p.checkTrustHorizon(); err != nil {
		return nil, err
	}
	if err := p.checkAPIScopes(); err != nil {
		return nil, err
	}
	if p.handler, err = p.routes(); err != nil {
		return nil, err
	}
	if p.admin, err = p.adminRoutes(); err != nil {
		return nil, err
	}
	return p, nil
}

// ServeHTTP handles a request to the main listener.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Admin returns the handler of the admin API, for the Unix socket.
func (p *Provider) Admin() http.Handler { return p.admin }

// Drain makes /readyz answer 503, so that load balancers send no more requests. The provider still serves the
// requests that arrive.
func (p *Provider) Drain() { p.draining.Store(true) }

// Run delivers logout tokens, ends expired sessions, removes unused clients and old audit lines, and rotates keys until
// ctx is cancelled. It returns when the delivery attempts in progress have finished.
func (p *Provider) Run(ctx context.Context) {
	var workers sync.WaitGroup
	workers.Go(func() { p.dispatcher.Run(ctx) })
	workers.Go(func() { p.terminator.Run(ctx) })
	if p.outbox != nil {
		workers.Go(func() { p.outbox.Run(ctx) })
		workers.Go(func() { p.resetMails.Run(ctx) })
	}
	if p.signUps != nil {
		workers.Go(func() { p.signUps.Run(ctx) })
	}
	if p.config.Audit.CheckpointEvery > 0 {
		workers.Go(func() { p.checkpoints.Run(ctx) })
	}
	if keep := p.config.Audit.Retention; keep > 0 {
		retention := &auditRetention{events: p.config.Store, keep: keep, now: p.config.Now, log: p.config.Log}
		workers.Go(func() { retention.Run(ctx) })
	}
	if p.config.Registration.Enabled() {
		workers.Go(func() { p.registration.Run(ctx) })
	}
	refusals := &refusalSaver{refusals: p.refusals, clients: p.config.Store, log: p.config.Log}
	workers.Go(func() { refusals.Run(ctx) })
	workers.Go(func() { p.logUnreachableLogins(ctx) })
	workers.Go(func() {
		p.config.Ring.Run(ctx, func(err error) { p.config.Log.ErrorContext(ctx, "keys not maintained", "err", err) })
	})
	workers.Wait()
}

// logUnreachableLogins logs, once at the start, the users who cannot sign in with their login name. `curfew doctor`
// lists them at any time.
func (p *Provider) logUnreachableLogins(ctx context.Context) {
	unreachable, err := storage.FindUnreachableLogins(ctx, p.config.Store)
	if err != nil && ctx.Err() == nil {
		p.config.Log.ErrorContext(ctx, "login names not checked", "err", err)
	}
	for _, u := range unreachable {
		p.config.Log.WarnContext(
			ctx,
			"a user cannot sign in with the login name",
			"sub", u.User.Subject,
			"problem", u.Problem(),
		)
	}
}

// maxLifetimes returns the longest lifetimes of tokens and sessions that this deployment issues.
func (p *Provider) maxLifetimes() logout.Lifetimes {
	c := p.config
	return logout.Lifetimes{Opaque: c.Token.Opaque, JWT: c.Token.JWT, Session: c.Session.Longest()}
}

// issuerHost returns the host of the issuer, under which authenticator apps list the account.
func issuerHost(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Hostname()
}

// subjectFor returns the sub by which a client knows the user.
func (p *Provider) subjectFor(u storage.User, client *storage.Client) string {
	return p.minter.SubjectFor(u.Subject, client)
}

// signLogoutToken signs a logout token with the algorithm of the client's ID tokens, or with RS256 if those are
// unsigned: alg none is forbidden (Back-Channel Logout 1.0 §2.4).
func (p *Provider) signLogoutToken(
	_ context.Context,
	d storage.Delivery,
	_ string,
	_, _ time.Time,
	claims map[string]any,
) (string, error) {
	alg, typ := d.Alg, d.Typ
	if alg == "" || alg == "none" {
		alg = keys.RS256
	}
	switch typ {
	case "":
		typ = "logout+jwt"
	case "none": // the client's setting for a logout token without typ
		typ = ""
	}
	return p.config.Ring.Sign(alg, typ, claims)
}

// postLogoutToken posts a logout token to a client.
func (p *Provider) postLogoutToken(
	ctx context.Context,
	d storage.Delivery,
	form url.Values,
) (logout.Response, error) {
	client := p.config.Egress
	if logout.IsSelfRegistered(d) {
		client = p.config.SelfRegisteredEgress
	}
	response, err := client.PostForm(ctx, d.URI, form)
	if err != nil {
		return logout.Response{}, err
	}
	return logout.Response{
		Status:     response.Status,
		RetryAfter: response.RetryAfter,
		Location:   response.Location,
		Detail:     response.Body,
	}, nil
}

// checkAPIScopes returns an error if the audience of an API is a client_id: that client could take the API's access
// tokens for ID tokens.
func (p *Provider) checkAPIScopes() error {
	for _, name := range p.config.APIScopes.Names() {
		for _, audience := range p.config.APIScopes[name].Audience {
			_, err := p.config.Store.Client(context.Background(), audience)
			if err == nil {
				return fmt.Errorf("the audience %s of the scope %s is a client_id: name the API by another name", audience, name)
			}
			if !errors.Is(err, storage.ErrNotFound) {
				return fmt.Errorf("check the audience of the scope %s: %w", name, err)
			}
		}
	}
	return nil
}

// checkTrustHorizon returns an error that names every enabled client whose trust horizon exceeds max_trust_horizon.
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
