package rp

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config configures one app.
type Config struct {
	Name         string // shown to users
	URL          string // of its home page, without a trailing slash: http://atlas.localhost:8081
	Issuer       string
	ClientID     string
	ClientSecret string
	BackChannel  bool         // registers a back-channel logout URI
	FrontChannel bool         // registers a front-channel logout URI
	Switchable   bool         // its page can make its back channel slow, refusing or broken
	AfterSignIn  string       // the page that its callback redirects to; default: its home page
	Scopes       []string     // in addition to openid and profile
	Client       *http.Client // default: LocalClient
	Now          func() time.Time
}

// App is the relying party. Use New to make one.
type App struct {
	config     Config
	client     *http.Client
	mux        *http.ServeMux
	mu         sync.Mutex
	oauth      *oauth2.Config // nil before the first discovery, as are the next two
	verifier   *oidc.IDTokenVerifier
	provider   *oidc.Provider
	pending    map[string]pendingSignIn // by state
	sessions   map[string]*session      // by cookie
	endedBySID map[string]LogoutMessage // recent logout messages by sid, for sign-ins that are still pending
	current    Behaviour
	messages   []LogoutMessage
}

// Behaviour is how the app answers a logout token.
type Behaviour string

// The behaviours.
const (
	Normal   Behaviour = "normal"
	Slow     Behaviour = "slow"     // answers after 8 s, longer than an OP waits
	Refusing Behaviour = "refusing" // 400
	Broken   Behaviour = "broken"   // 503
)

// pendingSignIn is a sign-in whose authorization response has not arrived.
type pendingSignIn struct {
	verifier string // of PKCE
	nonce    string
	browser  string
	at       time.Time
}

// session is a user's session at this app.
type session struct {
	SID         string
	Subject     string
	Name        string
	Since       time.Time
	IDToken     string
	AccessToken string
	EndedBy     *LogoutMessage // nil: the session is active
}

// LogoutMessage is one logout message that the app received.
type LogoutMessage struct {
	Channel       string         `json:"channel"` // backchannel, frontchannel, or here: signed out at the app
	At            time.Time      `json:"at"`
	Claims        map[string]any `json:"claims,omitempty"`
	SessionsEnded int            `json:"ended"`  // the number of sessions that it ended
	Answer        int            `json:"answer"` // the HTTP status of the answer
}

//go:embed page.html page.css page.js
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page.html"))

// New returns an app. It calls the provider only when the first user signs in.
func New(c Config) *App {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &App{
		config:     c,
		client:     c.Client,
		pending:    map[string]pendingSignIn{},
		sessions:   map[string]*session{},
		endedBySID: map[string]LogoutMessage{},
		current:    Normal,
	}
	if a.client == nil {
		a.client = LocalClient()
	}
	a.mux = http.NewServeMux()
	a.mux.HandleFunc("GET /{$}", a.serveHome)
	a.mux.HandleFunc("GET /login", a.serveLogin)
	a.mux.HandleFunc("GET /callback", a.serveCallback)
	a.mux.HandleFunc("GET /logout", a.serveLogout)
	a.mux.HandleFunc("GET /state", a.serveState)
	a.mux.HandleFunc("POST /backchannel-logout", a.serveBackChannelLogout)
	a.mux.HandleFunc("GET /frontchannel-logout", a.serveFrontChannelLogout)
	a.mux.HandleFunc("POST /behaviour", a.serveBehaviour)
	for name, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript"} {
		a.mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			body, err := files.ReadFile(name)
			if err != nil {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		})
	}
	return a
}

// ServeHTTP serves the app.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// Metadata returns the app's client metadata (RFC 7591 and the logout specifications).
func (a *App) Metadata() map[string]any {
	c := a.config
	m := map[string]any{
		"client_id":                 c.ClientID,
		"client_secret":             c.ClientSecret,
		"client_name":               c.Name,
		"redirect_uris":             []string{c.URL + "/callback"},
		"post_logout_redirect_uris": []string{c.URL + "/"},
		"grant_types":               []string{"authorization_code", "refresh_token"},
	}
	if c.BackChannel {
		m["backchannel_logout_uri"] = c.URL + "/backchannel-logout"
		m["backchannel_logout_session_required"] = true
	}
	if c.FrontChannel {
		m["frontchannel_logout_uri"] = c.URL + "/frontchannel-logout"
		m["frontchannel_logout_session_required"] = true
	}
	return m
}

// LocalClient returns a client that resolves *.localhost to loopback, as browsers do (RFC 6761 §6.3) and many resolvers
// do not.
func LocalClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				isLocalhost := host == "localhost" || strings.HasSuffix(host, ".localhost")
				if err == nil && isLocalhost {
					address = net.JoinHostPort("127.0.0.1", port)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
	}
}

// discover returns the provider's configuration. It fetches the metadata the first time.
func (a *App) discover(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.oauth != nil {
		return a.oauth, a.verifier, nil
	}
	// The oidc.Provider keeps this context for later requests of the key set, so it must not end with this request.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), a.client), a.config.Issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("discover %s: %w", a.config.Issuer, err)
	}
	a.provider = provider
	a.verifier = provider.Verifier(
		&oidc.Config{
			ClientID:             a.config.ClientID,
			Now:                  a.config.Now,
			SupportedSigningAlgs: []string{"RS256", "ES256", "PS256", "EdDSA"},
		},
	)
	a.oauth = &oauth2.Config{
		ClientID:     a.config.ClientID,
		ClientSecret: a.config.ClientSecret,
		Endpoint:     provider.Endpoint(),
		RedirectURL:  a.config.URL + "/callback",
		Scopes:       append([]string{"openid", "profile"}, a.config.Scopes...),
	}
	return a.oauth, a.verifier, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
