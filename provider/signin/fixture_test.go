package signin_test

import (
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// mustStartWith starts a provider with the user alice, the client atlas, and these ways to sign in; nil: the password.
func mustStartWith(t *testing.T, authenticators func(*bolt.Store) []authn.Authenticator) *providertest.Fixture {
	t.Helper()
	f := providertest.MustStart(t, func(c *provider.Config) {
		if authenticators != nil {
			c.Authenticators = authenticators(c.Store.(*bolt.Store))
		}
	})
	f.MustAddClient("atlas", nil)
	return f
}

func newPassword(store *bolt.Store, hasher authn.Hasher) *authn.Password {
	return &authn.Password{
		Users:   store,
		Hasher:  hasher,
		Limiter: authn.Limiter{Store: store},
		Log:     slog.New(slog.DiscardHandler),
	}
}

// mustListSessions returns the active sessions of alice.
func mustListSessions(t *testing.T, f *providertest.Fixture) []storage.Session {
	t.Helper()
	sessions, _, err := f.Store.ListSessions(
		t.Context(),
		storage.Selector{Subject: "sub-alice"},
		time.Now(),
		storage.Page{},
	)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// mustMatch returns the first group of the expression in the page.
func mustMatch(t *testing.T, p providertest.Page, expression string) string {
	t.Helper()
	match := regexp.MustCompile(expression).FindStringSubmatch(p.Body)
	if match == nil {
		t.Fatalf("got %d without %s:\n%s", p.Status, expression, p.Body)
	}
	return match[1]
}
