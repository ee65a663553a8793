package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/signin"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const (
	issuer   = "https://op.example"
	secret   = "0123456789abcdef0123456789abcdef" // of every test client
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	// challenge is the S256 of verifier (RFC 7636 appendix B).
	challenge    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	testPassword = "correct horse battery staple"
)

// op is a provider on a real store, with what leaves the process faked.
type op struct {
	t        testing.TB
	store    *bolt.Store
	provider *provider.Provider
	clients  *fakeClients
	stop     context.CancelFunc
	done     chan struct{}
}

// fakeClients plays every relying party's back channel.
type fakeClients struct {
	mu     sync.Mutex
	posts  []post
	answer func(uri string, form url.Values) (egress.Response, error) // nil: 200
	files  map[string]string
}

type post struct {
	URI  string
	Form url.Values
	At   time.Time
}

func (o *fakeClients) Check(context.Context, string) error { return nil }

func (o *fakeClients) PostForm(_ context.Context, uri string, form url.Values) (egress.Response, error) {
	o.mu.Lock()
	o.posts = append(o.posts, post{uri, form, time.Now()})
	answer := o.answer
	o.mu.Unlock()
	if answer != nil {
		return answer(uri, form)
	}
	return egress.Response{Status: http.StatusOK}, nil
}

func (o *fakeClients) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return o.FetchBytes(ctx, uri, maxBytes, maxAge)
}

func (o *fakeClients) FetchBytes(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if body, ok := o.files[uri]; ok {
		return []byte(body), nil
	}
	return nil, errors.New("nothing there")
}

func (o *fakeClients) sent() []post {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]post(nil), o.posts...)
}

// mustStart starts a provider with one user, alice. configure may change the configuration.
func mustStart(t testing.TB, configure func(*provider.Config)) *op {
	t.Helper()
	return mustStartOn(t, bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")}, configure)
}

// mustStartOn starts it on that store.
func mustStartOn(t testing.TB, file bolt.Options, configure func(*provider.Config)) *op {
	t.Helper()
	store, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	o := &op{t: t, store: store, clients: &fakeClients{}, done: make(chan struct{})}
	c := provider.Config{Issuer: issuer, Store: store, Egress: o.clients, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		SessionLifetimes: signin.Lifetimes{Idle: 8 * time.Hour, Absolute: 24 * time.Hour, RememberIdle: 14 * 24 * time.Hour, RememberAbsolute: 30 * 24 * time.Hour},
		TokenLifetimes:   tokens.Lifetimes{Code: time.Minute, Opaque: time.Hour, JWT: 10 * time.Minute, IDToken: 10 * time.Minute, OfflineIdle: 90 * 24 * time.Hour}}
	if configure != nil {
		configure(&c)
	}
	if c.Ring == nil {
		if c.Ring, err = keys.Load(t.Context(), keys.Config{Store: store, File: file.Path + ".key", Issuer: c.Issuer}); err != nil {
			t.Fatal(err)
		}
	}
	if o.provider, err = provider.New(c); err != nil {
		t.Fatal(err)
	}
	o.provider.CheapPasswordsForTest()
	ctx, cancel := context.WithCancel(context.Background())
	o.stop = cancel
	go func() { o.provider.Run(ctx); close(o.done) }()
	t.Cleanup(func() {
		cancel()
		<-o.done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o.mustAddUser("alice")
	return o
}

var passwordHash = sync.OnceValues(func() (string, error) {
	return password.NewHasher(provider.CheapForTest).Hash(context.Background(), testPassword)
})

func (o *op) mustAddUser(name string) {
	o.t.Helper()
	h, err := passwordHash()
	if err != nil {
		o.t.Fatal(err)
	}
	u := storage.User{Subject: "sub-" + name, Name: name, Email: name + "@example.org", EmailVerified: true, Claims: map[string]any{"name": strings.ToUpper(name[:1]) + name[1:]},
		Password: h, Created: time.Now(), Updated: time.Now()}
	if err := o.store.PutUser(o.t.Context(), u); err != nil {
		o.t.Fatal(err)
	}
}

// mustAddClient adds a client of that name with sane metadata, changed by change.
func (o *op) mustAddClient(id string, change func(*storage.Metadata)) {
	o.t.Helper()
	m := storage.Metadata{ClientID: id, ClientName: strings.ToUpper(id[:1]) + id[1:], RedirectURIs: []string{"https://" + id + ".example/cb"},
		PostLogoutRedirectURIs: []string{"https://" + id + ".example/bye"}, GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes: []string{"code"}, TokenEndpointAuthMethod: "client_secret_basic", Consent: "skip", IDTokenSignedResponseAlg: "ES256",
		BackchannelLogoutURI: "https://" + id + ".example/backchannel"}
	if change != nil {
		change(&m)
	}
	c := storage.Client{Metadata: m, SecretHash: storage.HashOf(secret), Created: time.Now(), Updated: time.Now()}
	if err := o.store.PutClient(o.t.Context(), c); err != nil {
		o.t.Fatal(err)
	}
}

// admin sends a request to the administration, as JSON, that has to work.
func (o *op) admin(method, path, body string) page {
	o.t.Helper()
	p := o.tryAdmin(method, path, body)
	if p.Status >= 300 {
		o.t.Fatalf("got %d %s from %s %s of the administration", p.Status, p.Body, method, path)
	}
	return p
}

func (o *op) tryAdmin(method, path, body string) page {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	o.provider.Admin().ServeHTTP(w, r)
	return page{w.Code, w.Header(), w.Body.String(), path}
}

// tokens is a token response.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Error        string `json:"error"`
	status       int
}

// token calls the token endpoint as a client.
func (o *op) token(client string, form url.Values) tokenResponse {
	o.t.Helper()
	p := o.call(client, "/token", form)
	var a tokenResponse
	if err := json.Unmarshal([]byte(p.Body), &a); err != nil {
		o.t.Fatalf("got %d %q from /token", p.Status, p.Body)
	}
	a.status = p.Status
	return a
}

// call posts a form as a client.
func (o *op) call(client, path string, form url.Values) page {
	basic := base64.StdEncoding.EncodeToString([]byte(client + ":" + secret))
	return o.browser().do(http.MethodPost, path, form, http.Header{"Authorization": {"Basic " + basic}, "Sec-Fetch-Site": {"cross-site"}})
}

func (o *op) redeem(client, code string) tokenResponse {
	o.t.Helper()
	return o.token(client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://" + client + ".example/cb"}, "code_verifier": {verifier}})
}

// claims reads a JWT without verifying it.
func claims(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a JWT", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// active asks introspection about a token.
func (o *op) active(client, token string) bool {
	o.t.Helper()
	p := o.call(client, "/introspect", url.Values{"token": {token}})
	var a struct {
		Active bool `json:"active"`
	}
	if err := json.Unmarshal([]byte(p.Body), &a); err != nil || p.Status != http.StatusOK {
		o.t.Fatalf("got %d %q from /introspect", p.Status, p.Body)
	}
	return a.Active
}
