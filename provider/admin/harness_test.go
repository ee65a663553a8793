package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

const issuer = "https://op.example"

// fixture is an administrator's desk: the API on a real store, with what leaves the process faked.
type fixture struct {
	t          *testing.T
	store      *bolt.Store
	ring       *keys.Ring
	terminator *logout.Terminator
	clients    *fakeClients
	api        http.Handler
	now        time.Time
}

// fakeClients plays every relying party.
type fakeClients struct {
	mu      sync.Mutex
	posts   []url.Values
	answer  func(uri string) (egress.Response, error) // nil: 200
	blocked string                                    // this URI is denied
	files   map[string]string
}

func (o *fakeClients) Check(_ context.Context, uri string) error {
	if uri == o.blocked {
		return &egress.Error{Class: egress.Denied, Host: "10.1.2.3", Advice: `10.1.2.3 is not a public address; add "10.1.2.0/24" to egress.allow`}
	}
	return nil
}

func (o *fakeClients) PostForm(_ context.Context, uri string, form url.Values) (egress.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posts = append(o.posts, form)
	if o.answer != nil {
		return o.answer(uri)
	}
	return egress.Response{Status: http.StatusOK}, nil
}

func (o *fakeClients) FetchJSON(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	if body, ok := o.files[uri]; ok {
		return []byte(body), nil
	}
	return nil, &egress.Error{Class: egress.Denied, Host: "10.1.2.3", Advice: "add it to egress.allow"}
}

func mustStart(t *testing.T, configure ...func(*admin.Config)) *fixture {
	t.Helper()
	dir := t.TempDir()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &fixture{t: t, store: store, clients: &fakeClients{}, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	now := func() time.Time { return d.now }
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if d.ring, err = keys.Load(t.Context(), keys.Config{Store: store, File: filepath.Join(dir, "key"), Issuer: issuer, Now: now}); err != nil {
		t.Fatal(err)
	}
	sign := func(_ context.Context, one storage.Delivery, _ string, _, _ time.Time, claims map[string]any) (string, error) {
		return d.ring.Sign(keys.ES256, "logout+jwt", claims)
	}
	post := func(ctx context.Context, uri string, form url.Values) (logout.Reply, error) {
		a, err := d.clients.PostForm(ctx, uri, form)
		return logout.Reply{Status: a.Status, Detail: a.Body}, err
	}
	dispatcher := &logout.Dispatcher{Store: store, Sign: sign, Post: post, Now: now, Issuer: issuer, Log: quiet}
	d.terminator = &logout.Terminator{Store: store, Now: now, Issuer: issuer, Log: quiet, PageSize: 3}
	lifetimes := logout.Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Session: 24 * time.Hour}
	c := admin.Config{
		Issuer: issuer, Version: "1.2.3", Started: d.now, Store: store, Terminator: d.terminator, PasswordHasher: password.NewHasher(password.Cost{Memory: 64, Time: 1, Threads: 1}),
		PasswordRules: password.Rules{}, Keys: d.ring, Registrar: &register.Registrar{Fetch: d.clients, WrapSecret: d.ring.WrapSecret, Now: now}, Egress: d.clients, Outbox: dispatcher,
		ResetURL: func(secret string) string { return issuer + "/reset/" + secret }, Lifetimes: lifetimes, Now: now, Log: quiet,
	}
	for _, change := range configure {
		change(&c)
	}
	if d.api, err = admin.New(c); err != nil {
		t.Fatal(err)
	}
	return d
}

// do sends a request; body is JSON text, or nothing.
func (d *fixture) do(method, target, body string) *httptest.ResponseRecorder {
	d.t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, target, nil)
	} else {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	return w
}

// must is do for an answer that has to be that one.
func must[T any](d *fixture, status int, method, target, body string) T {
	d.t.Helper()
	w := d.do(method, target, body)
	if w.Code != status {
		d.t.Fatalf("%s %s %s: got %d %s, want %d", method, target, body, w.Code, w.Body, status)
	}
	var out T
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		d.t.Fatalf("%s %s: read %s: %v", method, target, w.Body, err)
	}
	return out
}

// mustFail is do for an answer that has to be an error.
func (d *fixture) mustFail(status int, code, field, method, target, body string) *admin.Error {
	d.t.Helper()
	told := must[struct{ Error *admin.Error }](d, status, method, target, body).Error
	if told == nil || told.Code != code || told.Field != field || told.Message == "" {
		d.t.Fatalf("%s %s %.100s: got %+v, want %s at %q with a message", method, target, body, told, code, field)
	}
	return told
}

func (d *fixture) mustAddUser(name string) admin.User {
	d.t.Helper()
	return must[admin.User](d, 201, "POST", "/users", `{"preferred_username":"`+name+`","email":"`+name+`@example.org","password":"correct horse battery staple"}`)
}

func (d *fixture) mustAddClient(id, more string) admin.ClientRecord {
	d.t.Helper()
	return must[admin.ClientRecord](d, 201, "POST", "/clients", `{"client_id":"`+id+`","redirect_uris":["https://`+id+`.example/cb"],"backchannel_logout_uri":"https://`+id+
		`.example/bcl","grant_types":["authorization_code","refresh_token"]`+more+`}`)
}

// mustSignIn makes a session of the user with these clients as members, and gives each a session-bound grant. offline ones
// get an offline grant, too.
func (d *fixture) mustSignIn(u admin.User, id string, clients []string, offline ...string) storage.SessionID {
	d.t.Helper()
	ctx := d.t.Context()
	s := storage.Session{ID: storage.SessionID(id), SecretHash: storage.HashOf("cookie " + id), Subject: u.Subject, AuthTime: d.now, Created: d.now, LastActive: d.now,
		IdleTimeout: 8 * time.Hour, Expires: d.now.Add(24 * time.Hour), UserAgent: "Firefox"}
	if err := d.store.CreateSession(ctx, s, storage.Event{At: d.now, Kind: "session.created", Subject: u.Subject}); err != nil {
		d.t.Fatal(err)
	}
	give := func(client, grant string, session storage.SessionID) {
		code := storage.Code{ID: "code " + grant, Client: client, Subject: u.Subject, Session: s.ID, SID: "sid " + grant, Issued: d.now, Expires: d.now.Add(time.Minute)}
		_, err := d.store.Redeem(ctx, code, d.now, func(_ storage.Session, m storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{Grant: storage.Grant{ID: grant, Client: client, Subject: u.Subject, Session: session, SID: m.SID, Created: d.now, LastUsed: d.now,
				Expires: d.now.Add(24 * time.Hour), RefreshHash: storage.HashOf("refresh " + grant)}}, nil
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	for _, c := range clients {
		give(c, id+" "+c, s.ID)
	}
	for _, c := range offline {
		give(c, id+" offline "+c, "")
	}
	d.now = d.now.Add(time.Minute) // joined long enough ago, from the next minute on
	return s.ID
}

func (d *fixture) sessionActive(id storage.SessionID) bool {
	d.t.Helper()
	_, err := d.store.Session(d.t.Context(), id, d.now)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		d.t.Fatal(err)
	}
	return err == nil
}

// grants are the ids of a user's living grants.
func (d *fixture) grants(u admin.User) string {
	d.t.Helper()
	grants, err := d.store.ListGrants(d.t.Context(), u.Subject, "", false, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	var ids []string
	for _, g := range grants {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

// lastEvent is the newest audit line of a kind.
func (d *fixture) lastEvent(kind string) storage.Event {
	d.t.Helper()
	events, _, err := d.store.ListEvents(d.t.Context(), storage.EventFilter{Kind: kind, Newest: true}, storage.Page{Limit: 1})
	if err != nil || len(events) == 0 {
		d.t.Fatalf("got no audit line of kind %s (%v)", kind, err)
	}
	return events[0]
}
