package password

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func mustStore(t *testing.T, path string) *bolt.Store {
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

// allowed is how many of n attempts in a row pass at the moment at.
func allowed(t *testing.T, l Limiter, at time.Time, account, address string, known bool, n int) int {
	t.Helper()
	passed := 0
	for range n {
		err := l.Allow(t.Context(), at, account, address, known)
		if tooMany, ok := errors.AsType[*TooMany](err); ok {
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

// TestStrangersCannotWearOutAKnownDevice: whoever knows a person's subject, as every application does, could choose names that share a slot with
// the count of that person's own browsers.
func TestStrangersCannotWearOutAKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	device, _ := keysOf("sub-anna", "192.0.2.1", true)
	for i := range 2 * storage.AttemptSlots {
		name, address := fmt.Sprintf("login %d", i), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)
		keys, _ := keysOf(name, address, false)
		for _, key := range keys {
			if [2]byte(key[:2]) != [2]byte(device[0][:2]) {
				continue
			}
			at := start
			for range 60 {
				at = at.Add(maxDelay)
				l.Allow(t.Context(), at, name, address, false)
			}
			if err := l.Allow(t.Context(), at, "sub-anna", "192.0.2.1", true); err != nil {
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
			if err := l.Allow(t.Context(), start, "anna", fmt.Sprintf("192.0.2.%d", i), false); err == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := passed.Load(); got != freeByAccount {
		t.Errorf("got %d attempts that reach the hash, want %d", got, freeByAccount)
	}
}

func TestEachFurtherAttemptWaitsTwiceAsLong(t *testing.T) {
	l := mustLimiter(t)
	at := start
	allowed(t, l, at, "anna", "192.0.2.1", false, freeByAccount)
	var waits []time.Duration
	for range 12 {
		tooMany, ok := errors.AsType[*TooMany](l.Allow(t.Context(), at, "anna", "192.0.2.1", false))
		if !ok {
			t.Fatal("an attempt passed too early")
		}
		waits = append(waits, tooMany.Wait)
		if got := allowed(t, l, at.Add(tooMany.Wait-time.Second), "anna", "192.0.2.1", false, 1); got != 0 {
			t.Fatal("an attempt passed a second too early")
		}
		at = at.Add(tooMany.Wait)
		if got := allowed(t, l, at, "anna", "192.0.2.1", false, 3); got != 1 {
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
		passed += allowed(t, l, start, fmt.Sprintf("user %d", i), "2001:db8:1:2::1", false, 1)
	}
	if passed != freeByAddress {
		t.Errorf("got %d attempts, want %d", passed, freeByAddress)
	}
	for _, neighbour := range []string{"2001:db8:1:2:ffff::9", "2001:db8:1:2::1%eth0"} {
		if allowed(t, l, start, "bert", neighbour, false, 1) != 0 {
			t.Errorf("%s is in the same /64 and passed", neighbour)
		}
	}
	if allowed(t, l, start, "bert", "2001:db8:1:3::1", false, 1) != 1 {
		t.Error("another /64 is refused")
	}
}

func TestFormsOfOneIPv4AddressShareACount(t *testing.T) {
	if network("::ffff:192.0.2.1") != network("192.0.2.1") || network("192.0.2.1") == network("192.0.2.2") {
		t.Error("IPv4 addresses are not told apart, or not alike in their IPv6 form")
	}
}

func TestVictimStillEntersFromAKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	for i := range 100 {
		allowed(t, l, start, "anna", fmt.Sprintf("192.0.2.%d", i), false, 1)
	}
	for i := range 100 {
		allowed(t, l, start, fmt.Sprintf("user %d", i), "198.51.100.1", false, 1)
	}
	if allowed(t, l, start, "anna", "203.0.113.1", false, 1) != 0 {
		t.Error("a locked account is open from an unknown browser")
	}
	// The known browser shares its address with an attacker, too.
	if allowed(t, l, start, "anna", "198.51.100.1", true, 1) != 1 {
		t.Error("the person is locked out of their own browser")
	}
	if got := allowed(t, l, start, "anna", "198.51.100.1", true, 100); got != freeByAccount-1 {
		t.Errorf("a known browser got %d more attempts, want %d", got, freeByAccount-1)
	}
}

func TestCorrectPasswordResetsTheAccountOnly(t *testing.T) {
	l := mustLimiter(t)
	const address = "192.0.2.1"
	// Whoever owns one account cannot use it to guess at others without end.
	guesses := 0
	for i := range 200 {
		if allowed(t, l, start, "mallory", address, false, 1) == 1 {
			if err := l.Succeed(t.Context(), "mallory", address, false); err != nil {
				t.Fatal(err)
			}
		}
		guesses += allowed(t, l, start, fmt.Sprintf("victim %d", i), address, false, 1)
	}
	if guesses > freeByAddress {
		t.Errorf("got %d guesses between own sign-ins, want at most %d", guesses, freeByAddress)
	}

	fresh := "198.51.100.7"
	allowed(t, l, start, "anna", fresh, false, freeByAccount-1)
	for range 100 { // an office behind one address
		if allowed(t, l, start, "anna", fresh, false, 1) != 1 {
			t.Fatal("a correct password was refused")
		}
		if err := l.Succeed(t.Context(), "anna", fresh, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := allowed(t, l, start, "anna", fresh, false, 20); got != freeByAccount {
		t.Errorf("after a correct password: got %d attempts, want %d", got, freeByAccount)
	}
}

func TestCorrectPasswordResetsTheKnownDevice(t *testing.T) {
	l := mustLimiter(t)
	allowed(t, l, start, "anna", "192.0.2.1", true, freeByAccount)
	if err := l.Succeed(t.Context(), "anna", "192.0.2.1", true); err != nil {
		t.Fatal(err)
	}
	if got := allowed(t, l, start, "anna", "192.0.2.1", true, 20); got != freeByAccount {
		t.Errorf("got %d attempts, want %d", got, freeByAccount)
	}
}

func TestAttemptsAreForgottenInTime(t *testing.T) {
	l := mustLimiter(t)
	allowed(t, l, start, "anna", "192.0.2.1", false, freeByAccount)
	if got := allowed(t, l, start.Add(forgotten), "anna", "192.0.2.1", false, 20); got != freeByAccount {
		t.Errorf("after an hour: got %d attempts, want %d", got, freeByAccount)
	}
}

func TestClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	l := mustLimiter(t)
	allowed(t, l, start, "anna", "192.0.2.1", false, 20)
	if allowed(t, l, start.Add(-24*time.Hour), "anna", "192.0.2.1", false, 1) != 1 {
		t.Error("locked until the clock catches up")
	}
	if got := allowed(t, l, start.Add(-24*time.Hour), "anna", "192.0.2.1", false, 20); got != freeByAccount-1 {
		t.Errorf("got %d more attempts, want %d", got, freeByAccount-1)
	}
}

func TestCountSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	store := mustStore(t, path)
	allowed(t, Limiter{Store: store}, start, "anna", "192.0.2.1", false, freeByAccount)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if allowed(t, Limiter{Store: mustStore(t, path)}, start, "anna", "192.0.2.1", false, 1) != 0 {
		t.Error("a restart opened a locked account")
	}
}

func TestSpellingsOfATypedNameShareACount(t *testing.T) {
	l := mustLimiter(t)
	passed := 0
	for _, name := range []string{"nobody", "Nobody", "NOBODY ", " nobody", "nObody", "noBody", "nobOdy", "nobODY"} {
		passed += allowed(t, l, start, name, "192.0.2.1", false, 1)
	}
	if passed != freeByAccount {
		t.Errorf("got %d attempts, want %d", passed, freeByAccount)
	}
}

func TestUnknownOutcomeOfCountingLetsNobodyPass(t *testing.T) {
	store := mustStore(t, filepath.Join(t.TempDir(), "curfew.db"))
	l := Limiter{Store: store}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	err := l.Allow(context.Background(), start, "anna", "192.0.2.1", false)
	if _, tooMany := errors.AsType[*TooMany](err); err == nil || tooMany || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
