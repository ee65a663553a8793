package signin

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/signin/requestobject"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const (
	issuer       = "https://op.example"
	testPassword = "correct horse battery staple"
)

// rig is the handlers of sign-in on a real store, with the user alice and the client atlas.
type rig struct {
	t       *testing.T
	store   *bolt.Store
	handler *Handler
	mux     *http.ServeMux
}

func newRig(t *testing.T) *rig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	store, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	ring, err := keys.Load(t.Context(), keys.Config{Store: store, File: path + ".key", Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	hasher := password.NewHasher(password.Cost{Memory: 64, Time: 1, Threads: 1})
	hash, err := hasher.Hash(t.Context(), testPassword)
	if err != nil {
		t.Fatal(err)
	}
	err = store.PutUser(t.Context(), storage.User{Subject: "sub-alice", Name: "alice", Password: hash})
	if err == nil {
		err = store.PutClient(t.Context(), storage.Client{Metadata: storage.Metadata{
			ClientID:                "atlas",
			ClientName:              "Atlas",
			RedirectURIs:            []string{"https://atlas.example/cb"},
			GrantTypes:              []string{"authorization_code"},
			ResponseTypes:           []string{"code"},
			TokenEndpointAuthMethod: "client_secret_basic",
			Consent:                 "skip",
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	g := &rig{t: t, store: store, handler: &Handler{
		Site:           &web.Site{Issuer: issuer, Sessions: store, Sealer: ring, Now: time.Now, Log: log},
		Store:          store,
		Terminator:     &logout.Terminator{Store: store, Now: time.Now, Issuer: issuer, Log: log},
		Minter:         &tokens.Minter{Issuer: issuer, Ring: ring, Lifetimes: tokens.Lifetimes{Code: time.Minute}},
		HintVerifier:   ring,
		RequestObjects: &requestobject.Reader{Issuer: issuer, Now: time.Now},
		Lifetimes:      Lifetimes{Idle: time.Hour, Absolute: time.Hour, Interaction: time.Hour},
	}}
	g.handler.Authenticators = []authn.Authenticator{
		&authn.Password{Users: store, Hasher: hasher, Limiter: authn.Limiter{Store: store}, Log: log},
	}
	g.mux = http.NewServeMux()
	g.mux.HandleFunc("/authorize", g.handler.Authorize)
	g.mux.HandleFunc("GET /login/{interaction}", g.handler.ShowLogin)
	g.mux.HandleFunc("POST /login/{interaction}", g.handler.Login)
	g.mux.HandleFunc("GET /login/{interaction}/cancel", g.handler.Cancel)
	g.mux.HandleFunc("GET /consent/{interaction}", g.handler.ShowConsent)
	g.mux.HandleFunc("POST /consent/{interaction}", g.handler.Consent)
	return g
}

// authorizeURL is a valid request of atlas, with further parameters.
func authorizeURL(pairs ...string) string {
	v := url.Values{
		"client_id":             {"atlas"},
		"redirect_uri":          {"https://atlas.example/cb"},
		"response_type":         {"code"},
		"scope":                 {"openid"},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "/authorize?" + v.Encode()
}

// sessions returns the active sessions of alice.
func (g *rig) sessions() []storage.Session {
	g.t.Helper()
	sessions, _, err := g.store.ListSessions(g.t.Context(), storage.Selector{Subject: "sub-alice"}, time.Now(), storage.Page{})
	if err != nil {
		g.t.Fatal(err)
	}
	return sessions
}

// browser keeps cookies. It follows redirects within the provider and stops at those that lead to a client.
type browser struct {
	*rig
	cookies map[string]string
}

func (g *rig) browser() *browser { return &browser{rig: g, cookies: map[string]string{}} }

// page is an answer, and the path that gave it.
type page struct {
	*httptest.ResponseRecorder
	path string
}

func (b *browser) get(path string) page { return b.do(http.MethodGet, path, nil) }

func (b *browser) do(method, path string, form url.Values) page {
	r := httptest.NewRequest(method, issuer+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = "192.0.2.7:4711"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	if location := w.Header().Get("Location"); strings.HasPrefix(location, "/") {
		return b.get(location)
	}
	return page{w, path}
}

// submit sends the form of the page with these fields.
func (b *browser) submit(p page, pairs ...string) page {
	b.t.Helper()
	action := p.mustMatch(b.t, `action="([^"]*)"`)
	form := url.Values{"interaction": {p.mustMatch(b.t, `name="interaction" value="([^"]*)"`)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, action, form)
}

// mustMatch returns the first group of the expression in the page.
func (p page) mustMatch(t *testing.T, expression string) string {
	t.Helper()
	match := regexp.MustCompile(expression).FindStringSubmatch(p.Body.String())
	if match == nil {
		t.Fatalf("got %d without %s:\n%s", p.Code, expression, p.Body)
	}
	return match[1]
}

// responseParam is a parameter of the response that went to the client; empty if none did.
func (p page) responseParam(name string) string {
	u, err := url.Parse(p.Header().Get("Location"))
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}
