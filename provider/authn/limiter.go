package authn

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// How many attempts are free; each further one doubles the wait, up to maxDelay. An address has more, because many people
// may share it.
const (
	freePerAccount = 5
	freePerAddress = 50
	firstDelay     = 2 * time.Second // at least twice the second to which a store keeps the last attempt
	maxDelay       = 15 * time.Minute
	resetAfter     = time.Hour // without a further attempt
)

// Limiter limits attempts to sign in, per account and per client address. Its counters are in the store: they survive a
// restart and are shared by all replicas.
type Limiter struct {
	Store storage.Attempts
}

// TooManyAttemptsError is the refusal of an attempt.
type TooManyAttemptsError struct {
	Wait time.Duration // until an attempt is allowed again
}

func (e *TooManyAttemptsError) Error() string {
	return fmt.Sprintf("too many attempts, wait %v", e.Wait)
}

// Allow counts an attempt, or refuses it with *TooMany, in one step; a refused attempt does not count. Any other error
// comes from the store, and the attempt must not go on.
//
// account is the subject of the person, so that login name and e-mail address share one count, or the typed name where
// nobody has it. A knownDevice, a browser in which this very account has signed in before, has a count of its own and none by
// address, so that nobody else can lock the person out there.
func (l Limiter) Allow(ctx context.Context, at time.Time, account, address string, knownDevice bool) error {
	keys, free := counterKeys(account, address, knownDevice)
	err := l.Store.CountAttempt(ctx, keys, func(counters []storage.Counter) error {
		var wait time.Duration
		for i := range counters {
			wait = max(wait, waitFor(&counters[i], at, free[i]))
		}
		if wait > 0 {
			return &TooManyAttemptsError{Wait: wait}
		}
		for i := range counters {
			counters[i].Count++
			counters[i].Last = at
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// RecordSuccess is told of an attempt that Allow let pass and whose password was right: the account starts afresh. The address
// gets back this attempt only, else whoever has one account could guess at all others.
func (l Limiter) RecordSuccess(ctx context.Context, account, address string, knownDevice bool) error {
	keys, _ := counterKeys(account, address, knownDevice)
	err := l.Store.CountAttempt(ctx, keys, func(counters []storage.Counter) error {
		counters[0] = storage.Counter{}
		if len(counters) > 1 && counters[1].Count > 0 {
			counters[1].Count--
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reset attempts: %w", err)
	}
	return nil
}

// waitFor is how long c still has to wait at the time at. A counter that is forgotten starts afresh; so does one from the
// future, which is what a clock set back leaves behind.
func waitFor(counter *storage.Counter, at time.Time, free uint32) time.Duration {
	elapsed := at.Sub(counter.Last)
	if elapsed >= resetAfter || elapsed < -time.Minute {
		*counter = storage.Counter{}
	}
	if counter.Count < free {
		return 0
	}
	delay := firstDelay << min(counter.Count-free, 16)
	return max(0, min(delay, maxDelay)-max(0, elapsed))
}

func counterKeys(account, address string, knownDevice bool) (keys []storage.Hash, free []uint32) {
	account = strings.ToLower(strings.TrimSpace(account))
	if knownDevice {
		return []storage.Hash{counterKey("known device", account, 0x00, 0x3f)}, []uint32{freePerAccount}
	}
	return []storage.Hash{counterKey("account", account, 0x80, 0x7f), counterKey("address", clientNetwork(address), 0x40, 0x3f)}, []uint32{freePerAccount, freePerAddress}
}

// counterKey names a counter. Counters share slots by the first bits of their names, and what is tried, and from where, is a stranger's choice: each
// kind has slots of its own, so that no choice reaches a known device. Accounts have half of all, the others a quarter.
func counterKey(kind, name string, prefix, mask byte) storage.Hash {
	key := storage.HashOf(kind + "\x00" + name)
	key[0] = prefix | key[0]&mask
	return key
}

// clientNetwork is what counts as one client: an IPv4 address, or the /64 that one IPv6 subscriber has at least.
func clientNetwork(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(64)
	return prefix.String()
}
