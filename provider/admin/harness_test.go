package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/web"
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
	clients    *providertest.Clients
	api        http.Handler
	clock      *providertest.Clock
}

func mustStart(t *testing.T, configure ...func(*admin.Config)) *fixture {
	t.Helper()
	d := &fixture{
		t:       t,
		store:   providertest.MustOpenStore(t),
		clients: &providertest.Clients{},
		clock:   providertest.NewClock(),
	}
	now := d.clock.Now
	quiet := slog.New(slog.DiscardHandler)
	d.ring = providertest.MustLoadKeys(t, d.store, issuer, now)
	sign := func(_ context.Context, one storage.Delivery, _ string, _, _ time.Time, claims map[string]any) (string, error) {
		return d.ring.Sign(keys.ES256, "logout+jwt", claims)
	}
	post := func(ctx context.Context, delivery storage.Delivery, form url.Values) (logout.Response, error) {
		a, err := d.clients.PostForm(ctx, delivery.URI, form)
		return logout.Response{Status: a.Status, Detail: a.Body}, err
	}
	dispatcher := &logout.Dispatcher{Store: d.store, Sign: sign, Post: post, Now: now, Issuer: issuer, Log: quiet}
	d.terminator = &logout.Terminator{Store: d.store, Now: now, Issuer: issuer, Log: quiet, PageSize: 3}
	lifetimes := logout.Lifetimes{Opaque: time.Hour, JWT: 10 * time.Minute, Session: 24 * time.Hour}
	c := admin.Config{
		Issuer:         issuer,
		Version:        "1.2.3",
		Started:        d.clock.Now(),
		Store:          d.store,
		Terminator:     d.terminator,
		PasswordHasher: password.NewHasher(providertest.CheapPasswords),
		PasswordRules:  password.Rules{},
		Limiter:        authn.Limiter{Store: d.store},
		Keys:           d.ring,
		Registrar:      &register.Registrar{Fetch: d.clients, WrapSecret: d.ring.WrapSecret, Now: now},
		Egress:         d.clients,
		Outbox:         dispatcher,
		Refusals:       &web.RefusalLog{},
		ResetURL:       func(secret string) string { return issuer + "/reset/" + secret },
		Lifetimes:      lifetimes,
		Now:            now,
		Log:            quiet,
	}
	for _, change := range configure {
		change(&c)
	}
	var err error
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
	answer := must[struct{ Error *admin.Error }](d, status, method, target, body).Error
	if answer == nil || answer.Code != code || answer.Field != field || answer.Message == "" {
		d.t.Fatalf("%s %s %.100s: got %+v, want %s at %q with a message", method, target, body, answer, code, field)
	}
	return answer
}

func (d *fixture) mustAddUser(name string) admin.User {
	d.t.Helper()
	return must[admin.User](
		d,
		201,
		"POST",
		"/users",
		`{"preferred_username":"`+name+`","email":"`+name+`@example.org","password":"correct horse battery staple"}`,
	)
}

func (d *fixture) mustAddClient(id, more string) admin.ClientRecord {
	d.t.Helper()
	return must[admin.ClientRecord](
		d,
		201,
		"POST",
		"/clients",
		`{"client_id":"`+id+`","redirect_uris":["https://`+id+`.example/cb"],"backchannel_logout_uri":"https://`+id+
			`.example/bcl","grant_types":["authorization_code","refresh_token"]`+more+`}`,
	)
}

// mustSignIn makes a session of the user with these clients as members, and gives each a session-bound grant. offline
// ones get an offline grant, too.
func (d *fixture) mustSignIn(u admin.User, id string, clients []string, offline ...string) storage.SessionID {
	d.t.Helper()
	ctx := d.t.Context()
	s := providertest.MustCreateSession(d.t, d.store, u.Subject, d.clock.Now(), func(s *storage.Session) {
		s.ID = storage.SessionID(id)
		s.UserAgent = "Firefox"
	})
	give := func(client, grant string, session storage.SessionID) {
		code := storage.Code{
			ID:      "code " + grant,
			Client:  client,
			Subject: u.Subject,
			Session: s.ID,
			SID:     "sid " + grant,
			Issued:  d.clock.Now(),
			Expires: d.clock.Now().Add(time.Minute),
		}
		_, err := d.store.Redeem(
			ctx,
			code,
			d.clock.Now(),
			func(_ storage.Session, m storage.ClientSession) (storage.Issuance, error) {
				return storage.Issuance{
					Grant: storage.Grant{
						ID:          grant,
						Client:      client,
						Subject:     u.Subject,
						Session:     session,
						SID:         m.SID,
						Created:     d.clock.Now(),
						LastUsed:    d.clock.Now(),
						Expires:     d.clock.Now().Add(24 * time.Hour),
						RefreshHash: storage.HashOf("refresh " + grant),
					},
				}, nil
			},
		)
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
	d.clock.Advance(time.Minute) // joined long enough ago, from the next minute on
	return s.ID
}

func (d *fixture) sessionActive(id storage.SessionID) bool {
	d.t.Helper()
	_, err := d.store.Session(d.t.Context(), id, d.clock.Now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		d.t.Fatal(err)
	}
	return err == nil
}

// grants are the ids of a user's active grants.
func (d *fixture) grants(u admin.User) string {
	d.t.Helper()
	grants, err := d.store.ListGrants(d.t.Context(), u.Subject, "", false, d.clock.Now())
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
	events, _, err := d.store.ListEvents(
		d.t.Context(),
		storage.EventFilter{Kind: kind, Newest: true},
		storage.Page{Limit: 1},
	)
	if err != nil || len(events) == 0 {
		d.t.Fatalf("got no audit line of kind %s (%v)", kind, err)
	}
	return events[0]
}
