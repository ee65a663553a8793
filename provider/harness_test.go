package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
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
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	pw        = "correct horse battery staple"
)

// op is a provider on a real store, with what leaves the process faked.
type op struct {
	t     testing.TB
	store *bolt.Store
	p     *provider.Provider
	out   *outside
	stop  context.CancelFunc
	done  chan struct{}
}

// outside plays every relying party's back channel.
type outside struct {
	mu     sync.Mutex
	posts  []post
	answer func(uri string, form url.Values) (egress.Answer, error) // nil: 200
	files  map[string]string
}

type post struct {
	URI  string
	Form url.Values
	At   time.Time
}

func (o *outside) Check(context.Context, string) error { return nil }

func (o *outside) PostForm(_ context.Context, uri string, form url.Values) (egress.Answer, error) {
	o.mu.Lock()
	o.posts = append(o.posts, post{uri, form, time.Now()})
	answer := o.answer
	o.mu.Unlock()
	if answer != nil {
		return answer(uri, form)
	}
	return egress.Answer{Status: http.StatusOK}, nil
}

func (o *outside) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return o.FetchBytes(ctx, uri, maxBytes, maxAge)
}

func (o *outside) FetchBytes(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if body, ok := o.files[uri]; ok {
		return []byte(body), nil
	}
	return nil, errors.New("nothing there")
}

func (o *outside) sent() []post {
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
	o := &op{t: t, store: store, out: &outside{}, done: make(chan struct{})}
	c := provider.Config{Issuer: issuer, Store: store, Egress: o.out, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sessions: signin.Lifetimes{Idle: 8 * time.Hour, Absolute: 24 * time.Hour, KeepIdle: 14 * 24 * time.Hour, KeepAbsolute: 30 * 24 * time.Hour},
		Tokens:   tokens.Lifetimes{Code: time.Minute, Opaque: time.Hour, JWT: 10 * time.Minute, IDToken: 10 * time.Minute, OfflineIdle: 90 * 24 * time.Hour}}
	if configure != nil {
		configure(&c)
	}
	if c.Ring, err = keys.Load(t.Context(), keys.Config{Store: store, File: file.Path + ".key", Issuer: c.Issuer}); err != nil {
		t.Fatal(err)
	}
	if o.p, err = provider.New(c); err != nil {
		t.Fatal(err)
	}
	o.p.CheapPasswordsForTest()
	ctx, cancel := context.WithCancel(context.Background())
	o.stop = cancel
	go func() { o.p.Run(ctx); close(o.done) }()
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

var hash = sync.OnceValues(func() (string, error) {
	return password.NewHasher(provider.CheapForTest).Hash(context.Background(), pw)
})

func (o *op) mustAddUser(name string) {
	o.t.Helper()
	h, err := hash()
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

// browser keeps cookies and follows redirects within the provider.
type browser struct {
	o       *op
	cookies map[string]string
}

func (o *op) browser() *browser { return &browser{o: o, cookies: map[string]string{}} }

// page is an answer.
type page struct {
	Status int
	Header http.Header
	Body   string
	Path   string // where it was found
}

// copy is the browser as it is now, whatever becomes of it later.
func (b *browser) copy() *browser { return &browser{o: b.o, cookies: maps.Clone(b.cookies)} }

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
	o.p.Admin().ServeHTTP(w, r)
	return page{w.Code, w.Header(), w.Body.String(), path}
}

// do sends one request, without following anything.
func (b *browser) do(method, target string, form url.Values, header http.Header) page {
	b.o.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr = "192.0.2.7:4711"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, v := range header {
		r.Header[name] = v
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.o.p.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return page{resp.StatusCode, resp.Header, w.Body.String(), r.URL.RequestURI()}
}

// follow follows redirects as long as they stay here.
func (b *browser) follow(p page) page {
	for range 10 {
		location := p.Header.Get("Location")
		if p.Status != http.StatusSeeOther || !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, issuer+"/") {
			return p
		}
		p = b.do(http.MethodGet, strings.TrimPrefix(location, issuer), nil, nil)
	}
	b.o.t.Fatal("too many redirects")
	return p
}

func (b *browser) get(target string) page { return b.follow(b.do(http.MethodGet, target, nil, nil)) }

func (b *browser) post(target string, form url.Values) page {
	return b.follow(b.do(http.MethodPost, target, form, nil))
}

var (
	actionPattern = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// form finds a page's first form with its hidden fields.
func (p page) form(t testing.TB) (action string, fields url.Values) {
	t.Helper()
	m := actionPattern.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("got no form at %s (status %d):\n%s", p.Path, p.Status, p.Body)
	}
	fields = url.Values{}
	for _, h := range hiddenPattern.FindAllStringSubmatch(p.Body, -1) {
		fields.Set(h[1], html.UnescapeString(h[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// attribute is the value of the page's only attribute of that name.
func (p page) attribute(name string) string {
	_, rest, _ := strings.Cut(p.Body, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// submit sends a page's first form with more fields.
func (b *browser) submit(p page, more ...string) page {
	b.o.t.Helper()
	action, fields := p.form(b.o.t)
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return b.post(action, fields)
}

// authorizeURL asks for a code for a client; more overrides parameters, an empty value leaves one out.
func authorizeURL(client string, more ...string) string {
	q := url.Values{"client_id": {client}, "redirect_uri": {"https://" + client + ".example/cb"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"st"},
		"nonce": {"nn"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			q.Del(more[i])
		} else {
			q.Set(more[i], more[i+1])
		}
	}
	return "/authorize?" + q.Encode()
}

// mustSignIn signs a user in at a client, through the pages, and gives the answer's parameters.
func (b *browser) mustSignIn(user, client string, more ...string) url.Values {
	b.o.t.Helper()
	p := b.get(authorizeURL(client, more...))
	if strings.Contains(p.Body, `id="password"`) {
		p = b.submit(p, "username", user, "password", pw)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = b.submit(p, "decision", "allow")
	}
	return p.answer(b.o.t)
}

// answer is what an application gets by a redirect.
func (p page) answer(t testing.TB) url.Values {
	t.Helper()
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || p.Status != http.StatusSeeOther {
		t.Fatalf("got no redirect to an application at %s (status %d):\n%s", p.Path, p.Status, p.Body)
	}
	if u.Fragment != "" {
		q, err := url.ParseQuery(u.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	return u.Query()
}

// tokens is a token response.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Error        string `json:"error"`
	status       int
}

// token calls the token endpoint as a client.
func (o *op) token(client string, form url.Values) tokenAnswer {
	o.t.Helper()
	p := o.call(client, "/token", form)
	var a tokenAnswer
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

func (o *op) redeem(client, code string) tokenAnswer {
	o.t.Helper()
	return o.token(client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://" + client + ".example/cb"}, "code_verifier": {verifier}})
}

// mustJoin signs a user in at a client and redeems the code.
func (b *browser) mustJoin(user, client string, more ...string) tokenAnswer {
	b.o.t.Helper()
	a := b.o.redeem(client, b.mustSignIn(user, client, more...).Get("code"))
	if a.Error != "" || a.IDToken == "" {
		b.o.t.Fatalf("got %+v, want tokens", a)
	}
	return a
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
