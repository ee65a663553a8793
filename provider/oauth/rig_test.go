package oauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const (
	issuer   = "https://op.example.com"
	callback = "https://rp.example.com/callback?x=1"
	secret   = "a secret of at least thirty-two characters"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the library logs every refusal there
	os.Exit(m.Run())
}

// rig is a provider's machine side on a real store, with a clock.
type rig struct {
	t       testing.TB
	server  *oauth.Server
	http    oauth.Endpoints
	store   *bolt.Store
	ring    *keys.Ring
	clock   *providertest.Clock
	clients *providertest.Clients // what is at a jwks_uri
}

// newRig makes one whose clients take ES256, and the algorithms of more.
func newRig(t testing.TB, more ...string) *rig {
	t.Helper()
	g := &rig{
		t:       t,
		store:   providertest.MustOpenStore(t),
		clock:   providertest.NewClock(),
		clients: &providertest.Clients{},
	}
	g.ring = providertest.MustLoadKeys(t, g.store, issuer, g.clock.Now, append([]string{keys.ES256}, more...)...)
	minter := &tokens.Minter{
		Issuer: issuer,
		Ring:   g.ring,
		Lifetimes: policy.Token{
			Code:         time.Minute,
			Opaque:       time.Hour,
			JWT:          10 * time.Minute,
			IDToken:      10 * time.Minute,
			RefreshGrace: 10 * time.Second,
			OfflineIdle:  90 * 24 * time.Hour,
		},
	}
	terminator := &logout.Terminator{
		Store:     g.store,
		Now:       g.clock.Now,
		Issuer:    issuer,
		Lifetimes: logout.Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Session: 24 * time.Hour},
		SubjectFor: func(u storage.User, c *storage.Client) string {
			return minter.SubjectFor(u.Subject, c)
		},
	}
	g.server = &oauth.Server{
		Issuer:     issuer,
		Store:      g.store,
		Minter:     minter,
		Ring:       g.ring,
		Terminator: terminator,
		Fetch:      g.clients,
		SelfFetch:  g.clients,
		Now:        g.clock.Now,
	}
	g.http = g.server.Endpoints()
	g.mustPut(
		storage.User{
			Subject: "alice",
			Name:    "alice",
			Email:   "alice@example.com",
			Claims:  map[string]any{"name": "Alice", "phone_number": "+1 555"},
		},
	)
	return g
}

func (g *rig) mustPut(u storage.User) {
	g.t.Helper()
	u.Created, u.Updated = g.clock.Now(), g.clock.Now()
	if err := g.store.PutUser(context.Background(), u); err != nil {
		g.t.Fatal(err)
	}
}

// mustClient registers a client; edit changes it before.
func (g *rig) mustClient(id string, edit func(*storage.Client)) *storage.Client {
	g.t.Helper()
	c := storage.Client{
		Metadata: storage.Metadata{
			ClientID:                 id,
			RedirectURIs:             []string{callback},
			IDTokenSignedResponseAlg: keys.ES256,
			GrantTypes: []string{
				"authorization_code",
				"refresh_token",
				"client_credentials",
			},
		},
		SecretHash: storage.HashOf(secret),
		Created:    g.clock.Now(),
	}
	if edit != nil {
		edit(&c)
	}
	if err := g.store.PutClient(context.Background(), c); err != nil {
		g.t.Fatal(err)
	}
	found, err := g.store.Client(context.Background(), id)
	if err != nil {
		g.t.Fatal(err)
	}
	return found
}

func (g *rig) mustSession(subject string) storage.Session {
	g.t.Helper()
	return providertest.MustCreateSession(
		g.t,
		g.store,
		subject,
		g.clock.Now(),
		func(s *storage.Session) { s.ACR = "1" },
	)
}

// mustCode is a code as the authorization endpoint gives it; edit changes it before.
func (g *rig) mustCode(s storage.Session, client string, scope string, edit func(*tokens.Code)) string {
	g.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	code := g.server.Minter.NewCode(
		tokens.Code{
			Client:          client,
			RedirectURIHash: storage.HashOf(callback),
			CodeChallenge:   base64.RawURLEncoding.EncodeToString(sum[:]),
			Nonce:           "n-0S6_WzA2Mj",
			Scope:           strings.Fields(scope),
			Session:         s.ID,
			Subject:         s.Subject,
		},
		g.clock.Now(),
	)
	if edit != nil {
		edit(&code)
	}
	text, err := g.server.Minter.SealCode(code)
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
	data   map[string]any // of a JSON object
}

func (a response) text(name string) string { v, _ := a.data[name].(string); return v }

func (g *rig) do(h http.Handler, r *http.Request) response {
	g.t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := response{status: w.Code, header: w.Result().Header, body: w.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") && a.body != "" {
		if err := json.Unmarshal(w.Body.Bytes(), &a.data); err != nil {
			g.t.Fatalf("answer is no JSON object: %q", a.body)
		}
	}
	return a
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func post(v url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// postAs posts a form as a client does that has the secret.
func (g *rig) postAs(client string, h http.Handler, pairs ...string) response {
	g.t.Helper()
	r := post(form(pairs...))
	if client != "" {
		r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	}
	return g.do(h, r)
}

func (g *rig) redeem(client, code string) response {
	g.t.Helper()
	return g.postAs(
		client,
		g.http.Token,
		"grant_type",
		"authorization_code",
		"code",
		code,
		"redirect_uri",
		callback,
		"code_verifier",
		verifier,
	)
}

func (g *rig) refresh(client, token string, more ...string) response {
	g.t.Helper()
	return g.postAs(
		client,
		g.http.Token,
		append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...)
}

// mustTokens is a whole code flow of alice with client; the session is new.
func (g *rig) mustTokens(client, scope string) (storage.Session, response) {
	g.t.Helper()
	s := g.mustSession("alice")
	a := g.redeem(client, g.mustCode(s, client, scope, nil))
	if a.status != http.StatusOK {
		g.t.Fatalf("redeem: %d %s", a.status, a.body)
	}
	return s, a
}

func (g *rig) userInfo(token string) response {
	g.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return g.do(g.http.UserInfo, r)
}

// mustActive checks what introspection says to a caller.
func (g *rig) mustActive(caller, token string, want bool) response {
	g.t.Helper()
	a := g.postAs(caller, g.http.Introspect, "token", token)
	if a.status != http.StatusOK {
		g.t.Fatalf("introspect: %d %s", a.status, a.body)
	}
	if active, _ := a.data["active"].(bool); active != want {
		g.t.Fatalf("introspection says %s, want active %t", a.body, want)
	}
	if !want && strings.TrimSpace(a.body) != `{"active":false}` {
		g.t.Fatalf("an inactive token's answer says more than that: %s", a.body)
	}
	return a
}

func (g *rig) mustRefuse(a response, status int, code string) {
	g.t.Helper()
	if a.status != status || a.text("error") != code {
		g.t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		g.t.Fatalf("Cache-Control of an error is %q", got)
	}
}

// claims reads the payload of a JWT.
func (g *rig) claims(token string) map[string]any {
	g.t.Helper()
	return g.part(token, 1)
}

// header reads the header of a JWT.
func (g *rig) header(token string) map[string]any {
	g.t.Helper()
	return g.part(token, 0)
}

func (g *rig) part(token string, index int) map[string]any {
	g.t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		g.t.Fatalf("%q is no JWT", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[index])
	var members map[string]any
	if err != nil || json.Unmarshal(raw, &members) != nil {
		g.t.Fatalf("part %d of %q", index, token)
	}
	return members
}

func (g *rig) endSessions(sel storage.Selector) {
	g.t.Helper()
	if _, err := g.server.Terminator.End(context.Background(), storage.EndRequest{
		Selector: sel,
		Cause:    storage.Cause{Reason: storage.ReasonLogout, By: "user:alice"},
	}); err != nil {
		g.t.Fatal(err)
	}
}
