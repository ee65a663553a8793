package signin_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// slowHasher calls duringVerify while it checks a password.
type slowHasher struct {
	authn.Hasher
	duringVerify func()
}

func (s slowHasher) Verify(ctx context.Context, stored, secret string) (ok, rehash bool, err error) {
	ok, rehash, err = s.Hasher.Verify(ctx, stored, secret)
	s.duringVerify()
	return ok, rehash, err
}

// TestOldPasswordIsNoUseOnceReplaced: a user who sent the old password just before it was replaced gets no session.
func TestOldPasswordIsNoUseOnceReplaced(t *testing.T) {
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
		"the password is replaced by a request that began before the record was read": {func(e *logout.Terminator, u storage.User) error {
			earlier := &logout.Terminator{Store: e.Store, Issuer: e.Issuer, Log: e.Log, Now: func() time.Time { return time.Now().Add(-time.Second) }}
			u.Password = "another"
			_, err := earlier.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonPasswordReset}, Change: storage.Change{User: &u}})
			return err
		}, false},
		"all sessions are ended": {func(e *logout.Terminator, u storage.User) error {
			_, err := e.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonAdmin}})
			return err
		}, false},
		"the user is disabled": {func(e *logout.Terminator, u storage.User) error {
			u.Disabled = true
			_, err := e.End(t.Context(), storage.EndRequest{Selector: storage.Selector{Subject: u.Subject}, Cause: storage.Cause{Reason: storage.ReasonUserDisabled}, Change: storage.Change{User: &u}})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			slow := &slowHasher{Hasher: password.NewHasher(providertest.CheapPasswords)}
			f := mustStartWith(t, func(store *bolt.Store) []authn.Authenticator {
				return []authn.Authenticator{newPassword(store, slow)}
			})
			terminator := &logout.Terminator{Store: f.Store, Now: time.Now, Issuer: providertest.Issuer, Log: slog.New(slog.DiscardHandler)}
			slow.duringVerify = func() {
				time.Sleep(2 * time.Millisecond) // at least as long as checking a password takes
				user, err := f.Store.User(t.Context(), "sub-alice")
				if err == nil {
					err = c.change(terminator, user)
				}
				if err != nil {
					t.Error(err)
				}
			}
			b := f.Browser()
			p := b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
			sessions := mustListSessions(t, f)
			hasCookie := b.Cookies["__Host-curfew-session"] != ""
			if (len(sessions) > 0) != c.wantSession || hasCookie != c.wantSession {
				t.Errorf("got %d sessions and a cookie: %v (status %d), want a session: %v", len(sessions), hasCookie, p.Status, c.wantSession)
			}
			if !c.wantSession && !strings.Contains(p.Body, `id="password"`) {
				t.Errorf("got %d, want the sign-in page again:\n%s", p.Status, p.Body)
			}
		})
	}
}
