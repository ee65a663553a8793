// Package server runs one provider for a configuration: it opens the store, the keys and the listeners, serves until it
// is stopped, and closes everything in order.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/metrics"
	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage/bolt"
)

// ReadinessDelay is how long a serving process answers 503 at /readyz before its listeners close, so that a load
// balancer stops sending requests to it first.
const ReadinessDelay = time.Second

// replicaKeyInterval is the time between two loads of the keys if there may be other replicas. Within this time a
// process notices that another replica has made or revoked a key.
const replicaKeyInterval = 2 * time.Second

// minKeyPublication is how long a retired key stays published at least, however short the lifetimes of tokens are.
const minKeyPublication = time.Hour

// drainTimeout is how long running requests may take after the signal. Docker kills the process 10 s after the signal.
const drainTimeout = 7 * time.Second

// Options are the options of Open.
type Options struct {
	Config         *config.Config
	Log            *slog.Logger
	Version        string        // of the program, shown to administrators
	ReadinessDelay time.Duration // from the first 503 at /readyz until the listeners close
}

// Server is one provider with its store, keys and listeners.
type Server struct {
	options              Options
	log                  *slog.Logger
	store                Store
	boltStore            *bolt.Store   // the store, if it is in a file; nil: it is in PostgreSQL
	backups              *schedule     // nil: no scheduled backups
	savedPosition        bolt.Position // the position of the store that was last saved outside of it (position.go)
	positionFailed       bool          // the last attempt to write it failed
	egress               *egress.Client
	selfRegisteredEgress *egress.Client // for clients that registered themselves
	provider             *provider.Provider
	certificate          *certificate // nil: the listener has no TLS

	publicListener  net.Listener
	adminListener   net.Listener
	metricsListener net.Listener // nil without metrics.listen
	handler         http.Handler
	metricsHandler  http.Handler
}

// Error is an error that the operator can correct, with a hint how to do that.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Open opens the store, the keys and the listeners that the configuration names. If one of them fails, it closes the
// others.
func Open(ctx context.Context, options Options) (s *Server, err error) {
	cfg, log := options.Config, options.Log
	s = &Server{options: options, log: log}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := ensureDataFolder(string(cfg.Data)); err != nil {
		return s, err
	}
	if s.store, err = OpenStore(ctx, cfg, log); err != nil {
		return s, err
	}
	s.boltStore, _ = s.store.(*bolt.Store)
	s.store = withFaults(s.store) // changes nothing except in builds for fault tests (clock.go)
	if s.backups, err = s.newSchedule(); err != nil {
		return s, err
	}
	collector := metrics.New(s.store, wallClock)
	if err := s.openProvider(ctx, cfg, collector.Observer()); err != nil {
		return s, err
	}
	s.handler = s.provider
	s.metricsHandler = collector.Handler(log)
	base := cfg.BasePath()
	if cfg.BehindProxy() {
		s.handler = requireTrustedProxy(s.handler, base, cfg.TrustedProxies, s.log)
	}
	if cfg.Metrics.Listen != "" {
		s.handler = collector.CountRequests(s.handler, base, wallClock)
	}
	return s, s.listen(cfg)
}

// Address returns the address of the main listener.
func (s *Server) Address() net.Addr { return s.publicListener.Addr() }

func (s *Server) openProvider(ctx context.Context, cfg *config.Config, observe logout.Observer) error {
	var ca []byte
	var err error
	if cfg.Egress.CA != "" {
		ca, err = os.ReadFile(string(cfg.Egress.CA))
		if err != nil {
			return fmt.Errorf("read egress.ca: %w", err)
		}
	}
	ownAddresses := []string{cfg.Listen}
	if cfg.Metrics.Listen != "" {
		ownAddresses = append(ownAddresses, cfg.Metrics.Listen)
	}
	s.egress, err = egress.New(egress.Config{
		Allow:        cfg.Egress.Allow,
		CA:           ca,
		OwnListeners: ownAddresses,
		Resolver:     egressResolver(), // nil except in builds for fault tests
		Now:          wallClock,
	})
	if err != nil {
		return err
	}
	s.selfRegisteredEgress, err = egress.New(egress.Config{
		Allow:            cfg.Registration.EgressAllow,
		AllowSetting:     "registration.egress_allow",
		CA:               ca,
		FetchesPerMinute: cfg.Registration.FetchesPerMinute,
		OwnListeners:     ownAddresses,
		Resolver:         egressResolver(), // nil except in builds for fault tests
		Now:              wallClock,
	})
	if err != nil {
		return err
	}
	keyInterval := time.Minute
	if cfg.Store.URL != "" {
		keyInterval = replicaKeyInterval
	}
	ring, err := keys.Load(ctx, keys.Config{
		Interval:         keyInterval,
		Store:            s.store,
		File:             string(cfg.KeyFile),
		Issuer:           cfg.Issuer,
		Algorithms:       cfg.Keys.Algorithms,
		RSABits:          cfg.Keys.RSABits,
		RotateAfter:      cfg.Keys.RotateAfter,
		Now:              wallClock,
		MaxTokenLifetime: max(minKeyPublication, cfg.Token.JWT, cfg.Token.IDToken) + logout.DefaultClockSkew,
	})
	if err != nil {
		return fmt.Errorf("load the keys: %w", err)
	}
	rules := password.Rules{
		MinLength:                 cfg.Password.MinLength,
		MinLengthWithSecondFactor: cfg.Password.MinLengthWithSecondFactor,
	}
	if file := cfg.Password.BreachedFile; file != "" {
		if rules.Breached, err = password.OpenBreachedList(string(file)); err != nil {
			return fmt.Errorf("open password.breached_file: %w", err)
		}
	}
	var writeBackup func(context.Context, io.Writer) error
	if s.boltStore != nil {
		writeBackup = s.writeBackup
	}
	smtp, err := MailServer(cfg)
	if err != nil {
		return err
	}
	var sender mail.Sender
	if smtp != nil {
		sender = smtp
	}
	s.provider, err = provider.New(provider.Config{
		Issuer:  cfg.Issuer,
		Version: s.options.Version,
		Store:   s.store,
		Ring:    ring,
		Egress:  s.egress,

		SelfRegisteredEgress: s.selfRegisteredEgress,

		TrustedProxies:  cfg.TrustedProxies,
		Log:             s.log,
		Observe:         observe,
		Session:         cfg.Session,
		Token:           cfg.Token,
		Authn:           cfg.Authn,
		Logout:          cfg.Logout,
		Registration:    cfg.Registration,
		Audit:           cfg.Audit,
		SignUp:          cfg.SignUp,
		Upstreams:       cfg.UpstreamProviders(),
		APIScopes:       cfg.APIScopes(),
		MaxTrustHorizon: cfg.MaxTrustHorizon,
		HSTS:            web.HSTS{MaxAge: cfg.TLS.HSTS, IncludeSubDomains: cfg.TLS.HSTSSubdomains},
		CheckSession:    true,
		Now:             wallClock,
		PasswordCost:    passwordCost, // the default except in builds for fault tests
		Mail:            sender,
		PasswordRules:   rules,
		Backup:          writeBackup,
	})
	if err != nil {
		return fmt.Errorf("make the provider: %w", err)
	}
	return nil
}

func (s *Server) listen(cfg *config.Config) (err error) {
	if cfg.TLS.Cert != "" {
		if s.certificate, err = newCertificate(string(cfg.TLS.Cert), string(cfg.TLS.Key)); err != nil {
			return fmt.Errorf("read the certificate: %w", err)
		}
	}
	if s.publicListener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return listenError("listen", err)
	}
	if s.adminListener, err = listenSocket(SocketPath(string(cfg.Data))); err != nil {
		return err
	}
	if cfg.Metrics.Listen != "" {
		if s.metricsListener, err = net.Listen("tcp", cfg.Metrics.Listen); err != nil {
			return listenError("metrics.listen", err)
		}
	}
	return nil
}

// Run serves until ctx ends or a listener fails. Then it stops in order: it answers 503 at /readyz, finishes the
// running requests, stops the background work and closes the store. A signal on reload loads the certificate again.
func (s *Server) Run(ctx context.Context, reload <-chan os.Signal) error {
	defer s.Close()
	listeners, listenersCtx := errgroup.WithContext(ctx)
	servers := s.serve(listeners)

	// The background work continues after the signal: it delivers the logout tokens of the running requests.
	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var workers sync.WaitGroup
	workers.Go(func() { s.provider.Run(workCtx) })
	if s.boltStore != nil {
		workers.Go(func() { s.keepPosition(workCtx) })
	}
	if s.backups != nil {
		workers.Go(func() { s.runBackups(workCtx, s.backups) })
	}
	if s.certificate != nil {
		workers.Go(func() { s.certificate.watch(workCtx, reload, s.log) })
	}

	<-listenersCtx.Done()
	s.provider.Drain()
	s.log.InfoContext(ctx, "stopping")
	stoppedBySignal := ctx.Err() != nil // or else by a listener that failed
	if stoppedBySignal {
		time.Sleep(s.options.ReadinessDelay)
	}
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for _, server := range servers {
		if err := server.Shutdown(drainCtx); err != nil {
			server.Close() // cuts the requests that have not ended in time
		}
	}
	err := listeners.Wait()
	stopWork()
	workers.Wait()
	if s.boltStore != nil {
		s.writePosition(context.WithoutCancel(ctx))
	}
	return err
}

// serve starts an HTTP server for each listener. Its goroutines belong to group.
func (s *Server) serve(group *errgroup.Group) []*http.Server {
	var servers []*http.Server
	start := func(listener net.Listener, handler http.Handler, tlsConfig *tls.Config) {
		server := newServer(handler, s.log)
		server.TLSConfig = tlsConfig
		server.ConnContext = withPeerUser
		servers = append(servers, server)
		group.Go(func() error {
			var err error
			if tlsConfig != nil {
				err = server.ServeTLS(listener, "", "")
			} else {
				err = server.Serve(listener)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		})
	}
	var publicTLS *tls.Config
	if s.certificate != nil {
		publicTLS = s.certificate.tlsConfig()
	}
	start(s.publicListener, s.handler, publicTLS)
	start(s.adminListener, s.provider.Admin(), nil)
	if s.metricsListener != nil {
		start(s.metricsListener, s.metricsHandler, nil)
	}
	return servers
}

// Close closes the listeners, the egress client and, at last, the store.
func (s *Server) Close() {
	for _, l := range []net.Listener{s.publicListener, s.adminListener, s.metricsListener} {
		if l != nil {
			l.Close() // Run may have closed it already, and closing twice does no harm
		}
	}
	s.closeEgress()
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("store not closed", "err", err)
		}
	}
}

func (s *Server) closeEgress() {
	for _, e := range []*egress.Client{s.egress, s.selfRegisteredEgress} {
		if e != nil {
			e.Close()
		}
	}
}
