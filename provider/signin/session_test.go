package signin_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
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

func (s slowHasher) Verify(
	ctx context.Context,
	stored, secret string,
	priority password.Priority,
) (ok, rehash bool, err error) {
	ok, rehash, err = s.Hasher.Verify(ctx, stored, secret, priority)
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
			_, err := e.End(t.Context(), storage.EndRequest{
				Selector: storage.Selector{Subject: u.Subject},
				Cause:    storage.Cause{Reason: storage.ReasonPasswordChange},
				Change:   storage.Change{User: &u},
			})
			return err
		}, false},
		"the password is replaced by a request that began before the record was read": {
			func(e *logout.Terminator, u storage.User) error {
				earlier := &logout.Terminator{
					Store:  e.Store,
					Issuer: e.Issuer,
					Log:    e.Log,
					Now:    func() time.Time { return time.Now().Add(-time.Second) },
				}
				u.Password = "another"
				_, err := earlier.End(t.Context(), storage.EndRequest{
					Selector: storage.Selector{Subject: u.Subject},
					Cause:    storage.Cause{Reason: storage.ReasonPasswordReset},
					Change:   storage.Change{User: &u},
				})
				return err
			},
			false,
		},
		"all sessions are ended": {func(e *logout.Terminator, u storage.User) error {
			_, err := e.End(t.Context(), storage.EndRequest{
				Selector: storage.Selector{Subject: u.Subject},
				Cause:    storage.Cause{Reason: storage.ReasonAdmin},
			})
			return err
		}, false},
		"the user is disabled": {func(e *logout.Terminator, u storage.User) error {
			u.Disabled = true
			_, err := e.End(t.Context(), storage.EndRequest{
				Selector: storage.Selector{Subject: u.Subject},
				Cause:    storage.Cause{Reason: storage.ReasonUserDisabled},
				Change:   storage.Change{User: &u},
			})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			slow := &slowHasher{Hasher: password.NewHasher(providertest.CheapPasswords)}
			f := mustStartWith(t, func(store *bolt.Store) []authn.Authenticator {
				return []authn.Authenticator{newPassword(store, slow)}
			})
			terminator := &logout.Terminator{
				Store:  f.Store,
				Now:    time.Now,
				Issuer: providertest.Issuer,
				Log:    slog.New(slog.DiscardHandler),
			}
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
			p := b.Submit(
				b.Get(providertest.AuthorizeURL("atlas")),
				"username",
				"alice",
				"password",
				providertest.Password,
			)
			sessions := mustListSessions(t, f)
			hasCookie := b.Cookies["__Host-curfew-session"] != ""
			if (len(sessions) > 0) != c.wantSession || hasCookie != c.wantSession {
				t.Errorf(
					"got %d sessions and a cookie: %v (status %d), want a session: %v",
					len(sessions),
					hasCookie,
					p.Status,
					c.wantSession,
				)
			}
			if !c.wantSession && !strings.Contains(p.Body, `id="password"`) {
				t.Errorf("got %d, want the sign-in page again:\n%s", p.Status, p.Body)
			}
		})
	}
}

// TestFormSentTwiceStartsOneSession: a double click sends the form again before the browser has the cookie. The
// session works whichever answer the browser keeps.
func TestFormSentTwiceStartsOneSession(t *testing.T) {
	for name, path := range map[string]string{
		"sign-in":           providertest.AuthorizeURL("atlas"),
		"re-authentication": providertest.AuthorizeURL("atlas", "prompt", "login"),
	} {
		t.Run(name, func(t *testing.T) {
			f := mustStartWith(t, nil)
			b := f.Browser()
			if name == "re-authentication" {
				b.MustSignIn("alice", "atlas")
				time.Sleep(2 * time.Millisecond) // prompt=login wants an authentication after the request
			}
			p := b.Get(path)
			clicks := make([]*providertest.Browser, 5)
			var all sync.WaitGroup
			for i := range clicks {
				clicks[i] = b.Copy()
				all.Go(func() { clicks[i].Submit(p, "username", "alice", "password", providertest.Password) })
			}
			all.Wait()
			clicks = append(clicks, b.Copy()) // and once more, still without the cookie
			clicks[len(clicks)-1].Submit(p, "username", "alice", "password", providertest.Password)
			if sessions := mustListSessions(t, f); len(sessions) != 1 {
				t.Errorf("got %d sessions, want 1", len(sessions))
			}
			for i, click := range clicks {
				if !click.SignedIn("atlas") {
					t.Errorf("got the browser signed out with the cookie of answer %d", i)
				}
			}
		})
	}
}

// TestFormSentAgainAfterSignOutStartsAnotherSession: the old cookie stays invalid.
func TestFormSentAgainAfterSignOutStartsAnotherSession(t *testing.T) {
	f := mustStartWith(t, nil)
	b := f.Browser()
	p := b.Get(providertest.AuthorizeURL("atlas"))
	b.Submit(p, "username", "alice", "password", providertest.Password)
	old := b.Copy()
	b.Submit(b.Get("/end_session"), "scope", "session")
	if p := b.Submit(p, "username", "alice", "password", providertest.Password); p.Status >= http.StatusBadRequest {
		t.Fatalf("got %d:\n%s", p.Status, p.Body)
	}
	if old.SignedIn("atlas") {
		t.Error("got the cookie of the ended session accepted")
	}
	if sessions := mustListSessions(t, f); len(sessions) != 1 {
		t.Errorf("got %d sessions, want 1", len(sessions))
	}
}
