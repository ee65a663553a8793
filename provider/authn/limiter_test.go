package authn

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func mustStore(t testing.TB, path string) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func mustLimiter(t *testing.T) Limiter {
	t.Helper()
	return Limiter{Store: mustStore(t, filepath.Join(t.TempDir(), "curfew.db"))}
}

// originOf is a browser at that address, one in which the user has signed in before if known is set.
func originOf(address string, known bool) Origin {
	if known {
		return Origin{Address: address, Device: "laptop"}
	}
	return Origin{Address: address}
}

// countAllowed is how many of n attempts in a row pass at the moment at.
func countAllowed(t *testing.T, l Limiter, at time.Time, account, address string, known bool, n int) int {
	t.Helper()
	passed := 0
	for range n {
		err := l.Allow(t.Context(), at, account, originOf(address, known))
		if tooMany, ok := errors.AsType[*TooManyAttemptsError](err); ok {
			if tooMany.Wait <= 0 || tooMany.Wait > maxDelay {
				t.Errorf("got a wait of %v", tooMany.Wait)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		passed++
	}
	return passed
}

// TestStrangersCannotWearOutAKnownDevice: a client knows the subjects of its users, so it could choose login names
// that share a slot with the count of such a user's own browsers.
func TestStrangersCannotWearOutAKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	device, _ := counterKeys("sub-anna", originOf("192.0.2.1", true))
	for i := range 2 * storage.AttemptSlots {
		name, address := fmt.Sprintf("login %d", i), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)
		keys, _ := counterKeys(name, Origin{Address: address})
		for _, key := range keys {
			if [2]byte(key[:2]) != [2]byte(device[0][:2]) {
				continue
			}
			at := start
			for range 60 {
				at = at.Add(maxDelay)
				_ = l.Allow(t.Context(), at, name, Origin{Address: address}) // refused or not
			}
			if err := l.Allow(t.Context(), at, "sub-anna", originOf("192.0.2.1", true)); err != nil {
				t.Fatalf("got %v after strangers tried %q from %s", err, name, address)
			}
		}
	}
}

func TestOfManyAttemptsAtOnceFewReachTheHash(t *testing.T) {
	l := mustLimiter(t)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := l.Allow(t.Context(), start, "anna", originOf(fmt.Sprintf("192.0.2.%d", i), false)); err == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := passed.Load(); got != freePerAccount {
		t.Errorf("got %d attempts that reach the hash, want %d", got, freePerAccount)
	}
}

func TestEachFurtherAttemptWaitsTwiceAsLong(t *testing.T) {
	l := mustLimiter(t)
	at := start
	countAllowed(t, l, at, "anna", "192.0.2.1", false, freePerAccount)
	var waits []time.Duration
	for range 12 {
		tooMany, ok := errors.AsType[*TooManyAttemptsError](
			l.Allow(t.Context(), at, "anna", originOf("192.0.2.1", false)),
		)
		if !ok {
			t.Fatal("an attempt passed too early")
		}
		waits = append(waits, tooMany.Wait)
		if got := countAllowed(t, l, at.Add(tooMany.Wait-time.Second), "anna", "192.0.2.1", false, 1); got != 0 {
			t.Fatal("an attempt passed a second too early")
		}
		at = at.Add(tooMany.Wait)
		if got := countAllowed(t, l, at, "anna", "192.0.2.1", false, 3); got != 1 {
			t.Fatalf("after the wait: got %d attempts, want 1", got)
		}
	}
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
		if waits[i] != want*time.Second {
			t.Fatalf("got waits %v; want them to double up to 15 minutes", waits)
		}
	}
}

func TestOneAddressCannotTryOnePasswordAtEveryAccount(t *testing.T) {
	l := mustLimiter(t)
	passed := 0
	for i := range 200 {
		passed += countAllowed(t, l, start, fmt.Sprintf("user %d", i), "2001:db8:1:2::1", false, 1)
	}
	if passed != freePerAddress {
		t.Errorf("got %d attempts, want %d", passed, freePerAddress)
	}
	for _, neighbour := range []string{"2001:db8:1:2:ffff::9", "2001:db8:1:2::1%eth0"} {
		if countAllowed(t, l, start, "bert", neighbour, false, 1) != 0 {
			t.Errorf("%s is in the same /64 and passed", neighbour)
		}
	}
	if countAllowed(t, l, start, "bert", "2001:db8:1:3::1", false, 1) != 1 {
		t.Error("another /64 is refused")
	}
}

func TestFormsOfOneIPv4AddressHaveOneCounter(t *testing.T) {
	plain, mapped, other := clientNetworks("192.0.2.1"), clientNetworks("::ffff:192.0.2.1"), clientNetworks("192.0.2.2")
	if !slices.Equal(plain, mapped) || slices.Equal(plain, other) || len(plain) != 1 {
		t.Errorf("got %v, %v and %v, want the first two equal", plain, mapped, other)
	}
}

func TestVictimStillEntersFromAKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	for i := range 100 {
		countAllowed(t, l, start, "anna", fmt.Sprintf("192.0.2.%d", i), false, 1)
	}
	for i := range 100 {
		countAllowed(t, l, start, fmt.Sprintf("user %d", i), "198.51.100.1", false, 1)
	}
	if countAllowed(t, l, start, "anna", "203.0.113.1", false, 1) != 0 {
		t.Error("a locked account is open from an unknown browser")
	}
	// The known browser shares its address with an attacker, too.
	if countAllowed(t, l, start, "anna", "198.51.100.1", true, 1) != 1 {
		t.Error("the user is locked out of their own browser")
	}
	if got := countAllowed(t, l, start, "anna", "198.51.100.1", true, 100); got != freePerAccount-1 {
		t.Errorf("a known browser got %d more attempts, want %d", got, freePerAccount-1)
	}
}

func TestCorrectPasswordResetsTheAccountOnly(t *testing.T) {
	l := mustLimiter(t)
	const address = "192.0.2.1"
	// An attacker who owns one account cannot use it to guess at others without end.
	guesses := 0
	for i := range 200 {
		if countAllowed(t, l, start, "mallory", address, false, 1) == 1 {
			if err := l.RecordSuccess(t.Context(), "mallory", originOf(address, false)); err != nil {
				t.Fatal(err)
			}
		}
		guesses += countAllowed(t, l, start, fmt.Sprintf("victim %d", i), address, false, 1)
	}
	if guesses > freePerAddress {
		t.Errorf("got %d guesses between own sign-ins, want at most %d", guesses, freePerAddress)
	}

	fresh := "198.51.100.7"
	countAllowed(t, l, start, "anna", fresh, false, freePerAccount-1)
	for range 100 { // an office behind one address
		if countAllowed(t, l, start, "anna", fresh, false, 1) != 1 {
			t.Fatal("a correct password was refused")
		}
		if err := l.RecordSuccess(t.Context(), "anna", originOf(fresh, false)); err != nil {
			t.Fatal(err)
		}
	}
	if got := countAllowed(t, l, start, "anna", fresh, false, 20); got != freePerAccount {
		t.Errorf("after a correct password: got %d attempts, want %d", got, freePerAccount)
	}
}

func TestCorrectPasswordResetsTheKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	countAllowed(t, l, start, "anna", "192.0.2.1", true, freePerAccount)
	if err := l.RecordSuccess(t.Context(), "anna", originOf("192.0.2.1", true)); err != nil {
		t.Fatal(err)
	}
	if got := countAllowed(t, l, start, "anna", "192.0.2.1", true, 20); got != freePerAccount {
		t.Errorf("got %d attempts, want %d", got, freePerAccount)
	}
}

func TestAttemptsAreForgottenInTime(t *testing.T) {
	l := mustLimiter(t)
	countAllowed(t, l, start, "anna", "192.0.2.1", false, freePerAccount)
	if got := countAllowed(t, l, start.Add(resetAfter), "anna", "192.0.2.1", false, 20); got != freePerAccount {
		t.Errorf("after an hour: got %d attempts, want %d", got, freePerAccount)
	}
}

func TestClockThatIsSetBackLocksNoUserOut(t *testing.T) {
	l := mustLimiter(t)
	countAllowed(t, l, start, "anna", "192.0.2.1", false, 20)
	if countAllowed(t, l, start.Add(-24*time.Hour), "anna", "192.0.2.1", false, 1) != 1 {
		t.Error("locked until the clock catches up")
	}
	if got := countAllowed(t, l, start.Add(-24*time.Hour), "anna", "192.0.2.1", false, 20); got != freePerAccount-1 {
		t.Errorf("got %d more attempts, want %d", got, freePerAccount-1)
	}
}

func TestCountSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	store := mustStore(t, path)
	countAllowed(t, Limiter{Store: store}, start, "anna", "192.0.2.1", false, freePerAccount)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if countAllowed(t, Limiter{Store: mustStore(t, path)}, start, "anna", "192.0.2.1", false, 1) != 0 {
		t.Error("a restart opened a locked account")
	}
}

func TestSpellingsOfATypedNameHaveOneCounter(t *testing.T) {
	l := mustLimiter(t)
	passed := 0
	for _, name := range []string{"nobody", "Nobody", "NOBODY ", " nobody", "nObody", "noBody", "nobOdy", "nobODY"} {
		passed += countAllowed(t, l, start, name, "192.0.2.1", false, 1)
	}
	if passed != freePerAccount {
		t.Errorf("got %d attempts, want %d", passed, freePerAccount)
	}
}

func TestUnknownOutcomeOfCountingRefusesTheAttempt(t *testing.T) {
	store := mustStore(t, filepath.Join(t.TempDir(), "curfew.db"))
	l := Limiter{Store: store}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	err := l.Allow(context.Background(), start, "anna", originOf("192.0.2.1", false))
	if _, tooMany := errors.AsType[*TooManyAttemptsError](err); err == nil || tooMany ||
		!errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestOneSiteCannotTryOnePasswordFromEverySubnet: a /48 has 65,536 networks of its own.
func TestOneSiteCannotTryOnePasswordFromEverySubnet(t *testing.T) {
	l := mustLimiter(t)
	passed := 0
	for i := range 300 {
		passed += countAllowed(t, l, start, fmt.Sprintf("user %d", i), fmt.Sprintf("2001:db8:1:%x::1", i), false, 1)
	}
	if passed != freePerSite {
		t.Errorf("got %d attempts, want %d", passed, freePerSite)
	}
	if countAllowed(t, l, start, "bert", "2001:db8:2::1", false, 1) != 1 {
		t.Error("another /48 is refused")
	}
}

// TestUnknownAddressIsNotOneAddress: behind a proxy whose reports cannot be read, wrong guesses of one user lock no
// other user out.
func TestUnknownAddressIsNotOneAddress(t *testing.T) {
	l := mustLimiter(t)
	for i := range 3 * freePerAddress {
		if countAllowed(t, l, start, fmt.Sprintf("user %d", i), "", false, 1) != 1 {
			t.Fatalf("attempt %d was refused", i)
		}
	}
	if got := countAllowed(t, l, start, "anna", "", false, 20); got != freePerAccount {
		t.Errorf("got %d attempts at one account, want %d", got, freePerAccount)
	}
}

func TestEachKnownDeviceHasItsOwnCount(t *testing.T) {
	l := mustLimiter(t)
	phone := Origin{Address: "192.0.2.1", Device: "phone"}
	countAllowed(t, l, start, "anna", "192.0.2.1", true, 20)
	if err := l.Allow(t.Context(), start, "anna", phone); err != nil {
		t.Errorf("got %v on the phone after wrong guesses on the laptop", err)
	}
	if err := l.Allow(t.Context(), start, "bert", originOf("192.0.2.1", true)); err != nil {
		t.Errorf("got %v for another user of the laptop", err)
	}
}

func TestRefundedAttemptsAreFree(t *testing.T) {
	l := mustLimiter(t)
	for _, known := range []bool{false, true} {
		for range 3 * freePerAddress {
			if countAllowed(t, l, start, "anna", "2001:db8::1", known, 1) != 1 {
				t.Fatal("an attempt was refused although the ones before were refunded")
			}
			if err := l.Refund(t.Context(), "anna", originOf("2001:db8::1", known)); err != nil {
				t.Fatal(err)
			}
		}
		if got := countAllowed(t, l, start, "anna", "2001:db8::1", known, 20); got != freePerAccount {
			t.Errorf("got %d attempts, want %d", got, freePerAccount)
		}
	}
}

// TestUnlockOpensTheAccountButNotTheAddress: a new password ends the lock, but not the limit of an address that
// guesses at many accounts.
func TestUnlockOpensTheAccountButNotTheAddress(t *testing.T) {
	l := mustLimiter(t)
	for i := range freePerAddress {
		countAllowed(t, l, start, fmt.Sprintf("user %d", i), "192.0.2.66", false, 1)
	}
	countAllowed(t, l, start, "anna", "192.0.2.1", false, 20)
	countAllowed(t, l, start, "anna", "192.0.2.1", true, 20)
	if err := l.Unlock(t.Context(), "anna", originOf("192.0.2.1", true).Device); err != nil {
		t.Fatal(err)
	}
	for _, known := range []bool{false, true} {
		if got := countAllowed(t, l, start, "anna", "192.0.2.1", known, 20); got != freePerAccount {
			t.Errorf("known device %v: got %d attempts, want %d", known, got, freePerAccount)
		}
	}
	if countAllowed(t, l, start, "anna", "192.0.2.66", false, 1) != 0 {
		t.Error("an address that guessed at many accounts was unlocked")
	}
}
