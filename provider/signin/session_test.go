package signin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// slowHasher checks passwords as ever, but something happens while it does.
type slowHasher struct {
	authn.Hasher
	duringVerify func()
}

func (s slowHasher) Verify(ctx context.Context, stored, secret string) (ok, rehash bool, err error) {
	ok, rehash, err = s.Hasher.Verify(ctx, stored, secret)
	s.duringVerify()
	return ok, rehash, err
}

// TestOldPasswordIsNoUseOnceReplaced: whoever sent the old password just before it was replaced comes out without a session, however the two cross.
func TestOldPasswordIsNoUseOnceReplaced(t *testing.T) {
	const issuer, old = "https://op.example", "correct horse battery staple"
	for name, c := range map[string]struct {
		change      func(*logout.Terminator, storage.User) error
		wantSession bool
	}{
		"nothing": {func(*logout.Terminator, storage.User) error { return nil }, true},
		"the password is replaced": {func(e *logout.Terminator, u storage.User) error {
			u.Password = "another"
			_, err := e.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonPasswordChange}, Change: storage.Change{User: &u}})
			return err
		}, false},
		"by an ending that began before the record was read": {func(e *logout.Terminator, u storage.User) error {
			earlier := &logout.Terminator{Store: e.Store, Issuer: e.Issuer, Log: e.Log, Now: func() time.Time { return time.Now().Add(-time.Second) }}
			u.Password = "another"
			_, err := earlier.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonPasswordReset}, Change: storage.Change{User: &u}})
			return err
		}, false},
		"all sessions are ended": {func(e *logout.Terminator, u storage.User) error {
			_, err := e.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonAdmin}})
			return err
		}, false},
		"the person is disabled": {func(e *logout.Terminator, u storage.User) error {
			u.Disabled = true
			_, err := e.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonUserDisabled}, Change: storage.Change{User: &u}})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
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
			hash, err := hasher.Hash(t.Context(), old)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.PutUser(t.Context(), storage.User{Subject: "sub", Name: "alice", Password: hash}); err != nil {
				t.Fatal(err)
			}
			discardLog := slog.New(slog.NewTextHandler(io.Discard, nil))
			terminator := &logout.Terminator{Store: store, Now: time.Now, Issuer: issuer, Log: discardLog}
			h := &Handler{Site: &web.Site{Issuer: issuer, Sessions: store, Sealer: ring, Now: time.Now, Log: discardLog}, Store: store, Terminator: terminator,
				Minter:    &tokens.Minter{Issuer: issuer, Ring: ring},
				Lifetimes: Lifetimes{Idle: time.Hour, Absolute: time.Hour, Interaction: time.Hour}}
			slow := slowHasher{hasher, func() {
				time.Sleep(2 * time.Millisecond) // as a password takes, at the least
				u, err := store.User(t.Context(), "sub")
				if err == nil {
					err = c.change(terminator, u)
				}
				if err != nil {
					t.Error(err)
				}
			}}
			h.Authenticators = []authn.Authenticator{&authn.Password{Users: store, Hasher: slow, Limiter: authn.Limiter{Store: store}, Log: discardLog}}

			begin := httptest.NewRecorder()
			h.RedirectToSignIn(begin, httptest.NewRequest(http.MethodGet, "/account", nil), "/account")
			location := begin.Header().Get("Location")
			r := httptest.NewRequest(http.MethodPost, location, strings.NewReader(url.Values{"username": {"alice"}, "password": {old}}.Encode()))
			r.SetPathValue("interaction", strings.TrimPrefix(location, "/login/"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range begin.Result().Cookies() {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			h.Login(w, r)
			sessions, _, err := store.ListSessions(t.Context(), storage.Selector{Subject: "sub"}, time.Now(), storage.Page{})
			if err != nil {
				t.Fatal(err)
			}
			hasCookie := strings.Contains(strings.Join(w.Header().Values("Set-Cookie"), "\n"), "curfew-session=")
			if (len(sessions) > 0) != c.wantSession || hasCookie != c.wantSession {
				t.Errorf("got %d sessions and a cookie: %v (status %d), want to get in: %v", len(sessions), hasCookie, w.Code, c.wantSession)
			}
			if !c.wantSession && !strings.Contains(w.Body.String(), `id="password"`) {
				t.Errorf("got %d, want the sign-in page again:\n%s", w.Code, w.Body)
			}
		})
	}
}
