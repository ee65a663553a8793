package authn

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
	"github.com/curfew-id/curfew/templates"
)

const correctPassword = "correct horse battery staple"

var cheap = password.Cost{Memory: 64, Time: 1, Threads: 1}

// hookedHasher verifies passwords as ever and calls duringVerify meanwhile.
type hookedHasher struct {
	*password.Hasher
	duringVerify func()
}

func (h hookedHasher) Verify(
	ctx context.Context,
	stored, secret string,
	priority password.Priority,
) (ok, rehash bool, err error) {
	ok, rehash, err = h.Hasher.Verify(ctx, stored, secret, priority)
	h.duringVerify()
	return ok, rehash, err
}

// mustPassword returns a Password authenticator on a real store with the users alice, disabled and passwordless.
func mustPassword(t *testing.T) (*Password, *bolt.Store) {
	t.Helper()
	store := mustStore(t, filepath.Join(t.TempDir(), "curfew.db"))
	hasher := password.NewHasher(cheap)
	hash, err := hasher.Hash(t.Context(), correctPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []storage.User{
		{Subject: "sub-alice", Name: "alice", Email: "alice@example.org", EmailVerified: true, Password: hash},
		{Subject: "sub-disabled", Name: "disabled", Password: hash, Disabled: true},
		{Subject: "sub-passwordless", Name: "passwordless"},
	} {
		if err := store.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	return &Password{Users: store, Hasher: hasher, Limiter: Limiter{Store: store}, Log: log}, store
}

func attemptBy(username, secret string) Attempt {
	return Attempt{
		Form:    url.Values{FieldUsername: {username}, FieldPassword: {secret}},
		At:      start,
		Address: "192.0.2.1",
		Device:  func(string) string { return "" },
	}
}

func TestPasswordGivesSubjectTimeAndMethods(t *testing.T) {
	p, _ := mustPassword(t)
	for _, login := range []string{"alice", "ALICE", " alice ", "Alice@Example.org"} {
		a, err := p.Authenticate(t.Context(), attemptBy(login, correctPassword))
		if err != nil {
			t.Fatalf("%s: %v", login, err)
		}
		if a.User.Subject != "sub-alice" || !a.AuthTime.Equal(start) || !slices.Equal(a.AMR, []string{"pwd"}) ||
			a.ACR != "1" {
			t.Errorf("%s: got %+v", login, a)
		}
	}
}

// TestRefusalDoesNotShowWhetherAnAccountExists: the reason is for the log only.
func TestRefusalDoesNotShowWhetherAnAccountExists(t *testing.T) {
	p, _ := mustPassword(t)
	for name, c := range map[string]struct {
		login, password string
		reason          string
	}{
		"wrong password":  {"alice", "wrong", "wrong password"},
		"unknown user":    {"mallory", correctPassword, "unknown user"},
		"disabled user":   {"disabled", correctPassword, "user is disabled"},
		"no password":     {"passwordless", "", "user has no password"},
		"overlong":        {"alice", strings.Repeat("x", password.MaxBytes+1), "wrong password"},
		"nothing entered": {"", "", "unknown user"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Authenticate(t.Context(), attemptBy(c.login, c.password))
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			if refusal.Problem != (templates.Problem{Fault: templates.WrongCredentials}) {
				t.Errorf("got the problem %+v", refusal.Problem)
			}
			if refusal.Reason != c.reason {
				t.Errorf("got the reason %q, want %q", refusal.Reason, c.reason)
			}
		})
	}
}

// TestGivenUserCannotBeReplacedByTheForm: a form that names another user proves nothing about the user of the session.
func TestGivenUserCannotBeReplacedByTheForm(t *testing.T) {
	p, store := mustPassword(t)
	hash, err := p.Hasher.Hash(t.Context(), "another password")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutUser(t.Context(), storage.User{Subject: "sub-bob", Name: "bob", Password: hash}); err != nil {
		t.Fatal(err)
	}
	attempt := attemptBy("alice", correctPassword)
	attempt.User = &storage.User{Subject: "sub-bob"}
	if a, err := p.Authenticate(t.Context(), attempt); err == nil {
		t.Errorf("got %s authenticated with alice's password", a.User.Subject)
	}
	attempt.Form.Set(FieldPassword, "another password")
	if a, err := p.Authenticate(t.Context(), attempt); err != nil || a.User.Subject != "sub-bob" {
		t.Errorf("got %s, %v, want bob", a.User.Subject, err)
	}
}

func TestReplacedPasswordIsRevokedAtRecheck(t *testing.T) {
	p, store := mustPassword(t)
	a, err := p.Authenticate(t.Context(), attemptBy("alice", correctPassword))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Recheck(t.Context(), a); err != nil {
		t.Errorf("got %v for an unchanged password", err)
	}
	changed := a.User
	changed.Password = "another"
	if err := store.PutUser(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := p.Recheck(t.Context(), a); !errors.Is(err, storage.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
}

// TestTwoSignInsMayRenewTheHashAtOnce: both sign-ins hold when another one has stored a new hash of the same password
// meanwhile.
func TestTwoSignInsMayRenewTheHashAtOnce(t *testing.T) {
	p, store := mustPassword(t)
	expensive := password.NewHasher(password.Cost{Memory: 128, Time: 2, Threads: 1})
	other := &Password{Users: store, Hasher: expensive, Limiter: p.Limiter, Log: p.Log}
	meanwhile := func() {
		if _, err := other.Authenticate(context.Background(), attemptBy("alice", correctPassword)); err != nil {
			t.Error(err)
		}
	}
	var once bool
	p.Hasher = hookedHasher{expensive, func() {
		if !once {
			once = true
			meanwhile()
		}
	}}
	a, err := p.Authenticate(t.Context(), attemptBy("alice", correctPassword))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Recheck(t.Context(), a); err != nil {
		t.Errorf("got %v, want the sign-in to hold", err)
	}
}

func TestLimitAppliesBeforeThePasswordIsChecked(t *testing.T) {
	p, _ := mustPassword(t)
	checked := 0
	p.Hasher = hookedHasher{password.NewHasher(cheap), func() { checked++ }}
	for range freePerAccount {
		_, _ = p.Authenticate(t.Context(), attemptBy("alice", "wrong")) // refused, as the test above shows
	}
	_, err := p.Authenticate(t.Context(), attemptBy("alice", correctPassword))
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Problem.Fault != templates.TooManyAttempts || refusal.Problem.RetryAfter <= 0 {
		t.Errorf("got %v, want too many attempts with a time to wait", err)
	}
	if checked != freePerAccount {
		t.Errorf("got %d passwords checked, want %d", checked, freePerAccount)
	}
	later := attemptBy("alice", correctPassword)
	later.At = start.Add(refusal.Problem.RetryAfter + time.Second)
	if _, err := p.Authenticate(t.Context(), later); err != nil {
		t.Errorf("got %v after the wait", err)
	}
}

// busyHasher has no room for another password.
type busyHasher struct{ Hasher }

func (busyHasher) Verify(context.Context, string, string, password.Priority) (ok, rehash bool, err error) {
	return false, false, password.ErrBusy
}

func TestBusyCostsNoAttempt(t *testing.T) {
	p, _ := mustPassword(t)
	free := p.Hasher
	p.Hasher = busyHasher{free}
	for range 3 * freePerAddress {
		_, err := p.Authenticate(t.Context(), attemptBy("alice", correctPassword))
		if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Problem.Fault != templates.Busy {
			t.Fatalf("got %v, want busy", err)
		}
	}
	p.Hasher = free
	if _, err := p.Authenticate(t.Context(), attemptBy("alice", correctPassword)); err != nil {
		t.Errorf("got %v once there is room", err)
	}
}
