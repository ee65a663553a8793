// Package providertest has the fixtures for tests of the provider's packages: a provider on a real store with its real
// handlers, a browser, clients that call it, a clock, and a fake of all outgoing requests. Only tests import it.
//
//	f := providertest.MustStart(t, nil)
//	f.MustAddClient("shop", nil)
//	tokens := f.Browser().MustJoin("alice", "shop")
//
// Tests that wait for time to pass run in a testing/synctest bubble.
package providertest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const (
	// Issuer is the issuer of every provider under test.
	Issuer = "https://op.example"
	// Secret is the client secret of every client that MustAddClient adds.
	Secret = "0123456789abcdef0123456789abcdef"
	// Verifier and Challenge are the example of RFC 7636 appendix B; Challenge is the S256 of Verifier.
	Verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	// Password is the password of every user that MustAddUser adds.
	Password = "correct horse battery staple"
)

// CheapPasswords is a low cost of password hashes, so that hundreds of sign-ins take little time.
var CheapPasswords = password.Cost{Memory: 64, Time: 1, Threads: 1}

// Fixture is a running provider on a real store. Its egress is Clients.
type Fixture struct {
	T        testing.TB
	Store    *bolt.Store
	Ring     *keys.Ring
	Provider *provider.Provider
	Clients  *Clients
	stop     context.CancelFunc
	stopped  chan struct{}
}

// MustStart starts a provider with one user, alice. configure may be nil; it changes the configuration before the
// start.
func MustStart(t testing.TB, configure func(*provider.Config)) *Fixture {
	t.Helper()
	return MustStartOn(t, bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")}, configure)
}

// MustStartOn is MustStart on the store in file. The key file is beside it.
func MustStartOn(t testing.TB, file bolt.Options, configure func(*provider.Config)) *Fixture {
	t.Helper()
	f := MustStartAgain(t, file, configure)
	f.MustAddUser("alice")
	return f
}

// MustStartAgain is MustStartOn for a store that has its users already.
func MustStartAgain(t testing.TB, file bolt.Options, configure func(*provider.Config)) *Fixture {
	t.Helper()
	f := &Fixture{T: t, Store: mustOpen(t, file), Clients: &Clients{}, stopped: make(chan struct{})}
	c := provider.Config{
		Issuer:       Issuer,
		Store:        f.Store,
		Egress:       f.Clients,
		Log:          slog.New(slog.DiscardHandler),
		PasswordCost: CheapPasswords,
		Session: policy.Session{
			Idle:             8 * time.Hour,
			Absolute:         24 * time.Hour,
			RememberIdle:     14 * 24 * time.Hour,
			RememberAbsolute: 30 * 24 * time.Hour,
		},
		Token: policy.Token{
			Implicit:        true, // as for the conformance suite
			Code:            time.Minute,
			Opaque:          time.Hour,
			JWT:             10 * time.Minute,
			IDToken:         10 * time.Minute,
			RefreshGrace:    10 * time.Second,
			OfflineIdle:     90 * 24 * time.Hour,
			OfflineAbsolute: 180 * 24 * time.Hour,
		},
	}
	if configure != nil {
		configure(&c)
	}
	var err error
	if c.Ring == nil {
		c.Ring, err = keys.Load(t.Context(), keys.Config{Store: f.Store, File: file.Path + ".key", Issuer: c.Issuer})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.Ring = c.Ring
	if f.Provider, err = provider.New(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	go func() {
		f.Provider.Run(ctx)
		close(f.stopped)
	}()
	t.Cleanup(f.StopWork)
	return f
}

// With returns a Fixture of the same provider that reports to t, for a subtest or a fuzz target.
func (f *Fixture) With(t testing.TB) *Fixture {
	withT := *f
	withT.T = t
	return &withT
}

// StopWork stops the provider's background work: deliveries, removal of expired records and key rotation. The provider
// still serves requests.
func (f *Fixture) StopWork() {
	f.stop()
	<-f.stopped
}

var passwordHash = sync.OnceValues(func() (string, error) {
	return password.NewHasher(CheapPasswords).Hash(context.Background(), Password)
})

// MustHashPassword returns a hash of Password.
func MustHashPassword(t testing.TB) string {
	t.Helper()
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// MustAddUser adds a user with the login name name, the subject "sub-NAME" and the password Password.
func (f *Fixture) MustAddUser(name string) {
	f.T.Helper()
	u := storage.User{
		Subject:       "sub-" + name,
		Name:          name,
		Email:         name + "@example.org",
		EmailVerified: true,
		Claims:        map[string]any{"name": strings.ToUpper(name[:1]) + name[1:]},
		Password:      MustHashPassword(f.T),
		Created:       time.Now(),
		Updated:       time.Now(),
	}
	if err := f.Store.PutUser(f.T.Context(), u); err != nil {
		f.T.Fatal(err)
	}
}

// MustAddClient adds a client at https://ID.example that uses the code flow, refresh tokens and back-channel logout.
// change may be nil; it changes the metadata before they are stored.
func (f *Fixture) MustAddClient(id string, change func(*storage.Metadata)) {
	f.T.Helper()
	m := storage.Metadata{
		ClientID:                 id,
		ClientName:               strings.ToUpper(id[:1]) + id[1:],
		RedirectURIs:             []string{"https://" + id + ".example/cb"},
		PostLogoutRedirectURIs:   []string{"https://" + id + ".example/bye"},
		GrantTypes:               []string{"authorization_code", "refresh_token", "client_credentials"},
		ResponseTypes:            []string{"code"},
		TokenEndpointAuthMethod:  "client_secret_basic",
		Consent:                  "skip",
		IDTokenSignedResponseAlg: "ES256",
		BackchannelLogoutURI:     "https://" + id + ".example/backchannel",
	}
	if change != nil {
		change(&m)
	}
	c := storage.Client{Metadata: m, SecretHash: storage.HashOf(Secret), Created: time.Now(), Updated: time.Now()}
	if err := f.Store.PutClient(f.T.Context(), c); err != nil {
		f.T.Fatal(err)
	}
}

// MustAddStranger adds a client like MustAddClient, but as one that registered itself and asks for consent.
func (f *Fixture) MustAddStranger(id string, change func(*storage.Metadata)) {
	f.T.Helper()
	f.MustAddClient(id, change)
	f.MustChangeClient(id, func(c *storage.Client) { c.Dynamic, c.Consent = true, "" })
}

// MustChangeClient changes a client.
func (f *Fixture) MustChangeClient(id string, change func(*storage.Client)) {
	f.T.Helper()
	stored, err := f.Store.Client(f.T.Context(), id)
	if err != nil {
		f.T.Fatal(err)
	}
	c := *stored
	change(&c)
	if err := f.Store.PutClient(f.T.Context(), c); err != nil {
		f.T.Fatal(err)
	}
}

// Admin sends a JSON request to the admin API.
func (f *Fixture) Admin(method, path, body string) Page {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.Provider.Admin().ServeHTTP(w, r)
	return Page{Status: w.Code, Header: w.Header(), Body: w.Body.String(), Path: path}
}

// MustAdmin is Admin for a request that must succeed.
func (f *Fixture) MustAdmin(method, path, body string) Page {
	f.T.Helper()
	p := f.Admin(method, path, body)
	if p.Status >= http.StatusMultipleChoices {
		f.T.Fatalf("got %d %s from %s %s of the admin API", p.Status, p.Body, method, path)
	}
	return p
}

// MustMakeResetLink makes a password reset link and returns its path.
func (f *Fixture) MustMakeResetLink(user string) string {
	f.T.Helper()
	var link struct {
		URL string `json:"url"`
	}
	p := f.MustAdmin(http.MethodPost, "/users/"+user+"/reset-link", "{}")
	if err := json.Unmarshal([]byte(p.Body), &link); err != nil {
		f.T.Fatal(err)
	}
	return strings.TrimPrefix(link.URL, Issuer)
}

// MustMakeEmailLink makes the link that is mailed to a new address of a user, and returns its path.
func (f *Fixture) MustMakeEmailLink(user, address string) string {
	f.T.Helper()
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkEmail,
		Subject: "sub-" + user,
		Address: address,
		Created: time.Now(),
		Expires: time.Now().Add(time.Hour),
	}
	event := storage.Event{At: time.Now(), Kind: "user.email_requested", Subject: link.Subject}
	if err := f.Store.PutOneTimeLink(f.T.Context(), link, event); err != nil {
		f.T.Fatal(err)
	}
	return "/email/" + secret
}

// DiscardMail is a mail server that takes messages and delivers none.
type DiscardMail struct{}

// Send accepts a message.
func (DiscardMail) Send(context.Context, mail.Message) error { return nil }

// MustFindSession returns the session of a browser. It must be a session of user.
func (f *Fixture) MustFindSession(user string, b *Browser) storage.SessionID {
	f.T.Helper()
	s, err := f.Store.SessionBySecret(f.T.Context(), storage.HashOf(b.Cookies["__Host-curfew-session"]), time.Now())
	if err != nil || s.Subject != "sub-"+user {
		f.T.Fatalf("got session %+v, %v, want one of %s", s, err, user)
	}
	return s.ID
}
