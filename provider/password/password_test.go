package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cheap keeps tests fast where the cost itself is not the point.
var cheap = Cost{Memory: 8, Time: 1, Threads: 1}

func mustHash(t *testing.T, h *Hasher, password string) string {
	t.Helper()
	stored, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func mustVerify(t *testing.T, h *Hasher, stored, password string, wantOK, wantRehash bool) {
	t.Helper()
	ok, rehash, err := h.Verify(t.Context(), stored, password, Stranger)
	if err != nil || ok != wantOK || rehash != wantRehash {
		t.Errorf("verify %q: got %v, rehash %v, %v; want %v, %v", password, ok, rehash, err, wantOK, wantRehash)
	}
}

func TestHashIsArgon2idAtTheDefaultCost(t *testing.T) {
	h := NewHasher(Cost{})
	stored := mustHash(t, h, "correct horse battery")
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", stored)
	}
	if again := mustHash(t, h, "correct horse battery"); again == stored {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	mustVerify(t, h, stored, "correct horse battery", true, false)
	mustVerify(t, h, stored, "correct horse batterz", false, false)
}

func TestForeignHashOfTheSameFormVerifies(t *testing.T) {
	// Made by the reference program: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32
	// (github.com/P-H-C/phc-winner-argon2, test.c).
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	mustVerify(t, NewHasher(Cost{}), stored, "password", true, true)
}

func TestHashMadeAtAnotherCostIsToBeRenewed(t *testing.T) {
	old := mustHash(t, NewHasher(cheap), "correct horse battery")
	h := NewHasher(Cost{Memory: 16, Time: 1, Threads: 1})
	mustVerify(t, h, old, "correct horse battery", true, true)
	mustVerify(t, h, old, "wrong", false, false)
}

func TestPasswordIsNeitherCutNorFolded(t *testing.T) {
	h := NewHasher(cheap)
	long := strings.Repeat("x", 72)
	for _, pair := range [][2]string{
		{"password one ", "password one"}, {"Password one", "password one"}, {"zero\x00one", "zero\x00two"},
		{long + "a", long + "b"}, {strings.Repeat("y", 1023) + "a", strings.Repeat("y", 1023) + "b"},
	} {
		stored := mustHash(t, h, pair[0])
		mustVerify(t, h, stored, pair[0], true, false)
		mustVerify(t, h, stored, pair[1], false, false)
	}
}

func TestOversizedPasswordIsRefusedUnhashed(t *testing.T) {
	h := NewHasher(cheap)
	mustFill(t, h) // nothing can be hashed
	long := strings.Repeat("x", MaxBytes+1)
	if _, err := h.Hash(t.Context(), long); !errors.Is(err, ErrTooLong) {
		t.Errorf("hash: got %v, want ErrTooLong", err)
	}
	if _, _, err := h.Verify(t.Context(), "", long, Stranger); !errors.Is(err, ErrTooLong) {
		t.Errorf("verify: got %v, want ErrTooLong", err)
	}
}

func TestUnknownUserCostsTheSameAndNeverVerifies(t *testing.T) {
	h := NewHasher(Cost{Memory: 16, Time: 1, Threads: 1})
	cost, salt, sum, err := parsePHC(h.dummyHash)
	if err != nil || cost != h.cost || len(salt) != saltBytes || len(sum) != hashBytes {
		t.Errorf(
			"stand-in hash: cost %v, salt %d, hash %d, %v; want those of a real one",
			cost,
			len(salt),
			len(sum),
			err,
		)
	}
	mustVerify(t, h, "", "", false, false)
	mustVerify(t, h, "", "correct horse battery", false, false)

	mustFill(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.Verify(ctx, "", "x", Stranger); err == nil {
		t.Error("an unknown user's password took no turn: it was not hashed")
	}
}

func TestMoreHashesThanCoresWaitAndGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		mustFill(t, h)
		var wg sync.WaitGroup
		start := time.Now()
		for range 20 {
			wg.Go(func() {
				if _, err := h.Hash(t.Context(), "correct horse"); !errors.Is(err, ErrBusy) {
					t.Errorf("got %v, want ErrBusy", err)
				}
			})
		}
		wg.Wait()
		if waited := time.Since(start); waited != maxQueueWait {
			t.Errorf("waited %v, want %v", waited, maxQueueWait)
		}
		h.queue.release()
		if _, err := h.Hash(t.Context(), "correct horse"); err != nil {
			t.Errorf("with a free turn: %v", err)
		}
	})
}

func TestDamagedHashIsAnErrorAndTakesNothing(t *testing.T) {
	h := NewHasher(cheap)
	good := mustHash(t, h, "correct horse")
	for _, bad := range []string{
		"x", "$", "$$$$$", "correct horse", good + "$", good[:len(good)-40], good + "=",
		strings.Replace(
			good,
			"argon2id",
			"argon2i",
			1,
		), strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(
			good,
			"m=8",
			"m=4294967295",
			1,
		), strings.Replace(good, "t=1", "t=1000000", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(
			good,
			"p=1",
			"p=255",
			1,
		), strings.Replace(good, "p=1", "p=1,x=1", 1), strings.Replace(good, "m=8", "m=+8", 1),
	} {
		if ok, _, err := h.Verify(t.Context(), bad, "correct horse", Stranger); ok || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v; want ErrMalformed", bad, ok, err)
		}
	}
}

// mustFill takes every turn of the hasher.
func mustFill(t *testing.T, h *Hasher) {
	t.Helper()
	for range h.queue.free {
		if err := h.queue.acquire(t.Context(), KnownDevice); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFloodOfStrangersDoesNotKeepOutAKnownDevice: its password is checked next, however many strangers wait.
func TestFloodOfStrangersDoesNotKeepOutAKnownDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		mustFill(t, h)
		var order []Priority
		var mu sync.Mutex
		var wg sync.WaitGroup
		wait := func(priority Priority) {
			wg.Go(func() {
				if err := h.queue.acquire(t.Context(), priority); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, priority)
				mu.Unlock()
				h.queue.release()
			})
			synctest.Wait()
		}
		for range 100 {
			wait(Stranger)
		}
		wait(KnownDevice)
		h.queue.release()
		wg.Wait()
		if len(order) != 101 || order[0] != KnownDevice {
			t.Errorf(
				"got %d waiters served, the first with priority %d; want 101, the known device first",
				len(order),
				order[0],
			)
		}
	})
}

// TestWaiterThatGivesUpTakesNoTurn: the turn goes to the next waiter.
func TestWaiterThatGivesUpTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		mustFill(t, h)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := h.queue.acquire(ctx, KnownDevice); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		wg.Go(func() {
			if err := h.queue.acquire(t.Context(), Stranger); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		h.queue.release()
		wg.Wait()
	})
}
