package authn

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// How many attempts are free; each further one doubles the wait, up to maxDelay. An address has more, because many users may share it,
// and a /48 still more, because it is what one customer of an IPv6 provider may have.
const (
	freePerAccount = 5
	freePerAddress = 50
	freePerSite    = 200
	firstDelay     = 2 * time.Second // at least twice the second to which a store keeps the last attempt
	maxDelay       = 15 * time.Minute
	resetAfter     = time.Hour // without a further attempt
)

// Origin is where an attempt comes from.
type Origin struct {
	Address string // of the browser; empty: not known, and not limited
	Device  string // names the browser, if the user of the account has signed in with it before
}

// Limiter limits attempts to sign in, per account and per client address. Its counters are in the store: they survive a
// restart and are shared by all replicas.
type Limiter struct {
	Store   storage.Attempts
	Refunds *Refunds // attempts that the store could not take back; nil: they stay counted
}

// TooManyAttemptsError is the refusal of an attempt.
type TooManyAttemptsError struct {
	Wait time.Duration // until an attempt is allowed again
}

func (e *TooManyAttemptsError) Error() string {
	return fmt.Sprintf("too many attempts, wait %v", e.Wait)
}

// Allow counts an attempt, or refuses it with *[TooManyAttemptsError], in one step; a refused attempt does not count. Any other error
// comes from the store, and the attempt must not go on.
//
// account is the subject of the user, so that login name and e-mail address share one count, or the typed name if no user has it.
// A device has a count of its own for each account, and none by address, so that no other user can lock this user out there.
func (l Limiter) Allow(ctx context.Context, at time.Time, account string, origin Origin) error {
	keys, free := counterKeys(account, origin)
	refunds := l.Refunds.of(keys)
	err := l.Store.CountAttempt(ctx, keys, func(counters []storage.Counter) error {
		var wait time.Duration
		for i := range counters {
			refunds[i].takeOff(&counters[i])
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
	l.Refunds.settle(keys, refunds)
	return nil
}

// RecordSuccess notes that an attempt that Allow let pass was right: the account starts afresh. The address gets back this attempt
// only, because otherwise the owner of one account could guess at all others.
func (l Limiter) RecordSuccess(ctx context.Context, account string, origin Origin) error {
	return l.refund(ctx, "reset attempts", account, origin, refund{all: true})
}

// Refund takes back an attempt that Allow let pass and that was not checked.
func (l Limiter) Refund(ctx context.Context, account string, origin Origin) error {
	return l.refund(ctx, "refund attempt", account, origin, refund{attempts: 1})
}

// Unlock lets an account start afresh, from new browsers and from origin, because its password is new.
func (l Limiter) Unlock(ctx context.Context, account string, origin Origin) error {
	for _, o := range []Origin{{}, {Device: origin.Device}} {
		if err := l.refund(ctx, "unlock account", account, o, refund{all: true}); err != nil {
			return err
		}
	}
	return nil
}

// refund takes first off the counter of the account or the device, and one attempt off the counters of the address.
func (l Limiter) refund(ctx context.Context, what, account string, origin Origin, first refund) error {
	keys, _ := counterKeys(account, origin)
	refunds := make([]refund, len(keys))
	for i := range refunds {
		refunds[i] = refund{attempts: 1}
	}
	refunds[0] = first
	err := l.Store.CountAttempt(ctx, keys, func(counters []storage.Counter) error {
		for i := range counters {
			refunds[i].takeOff(&counters[i])
		}
		return nil
	})
	if err != nil {
		l.Refunds.keepIfFailed(err, keys, refunds)
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// waitFor returns how long the counter still blocks attempts at the time at. It clears a counter that was not used for resetAfter, and one
// from the future, which a clock that was set back leaves behind.
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

// counterKeys returns the counters that an attempt concerns, and how many attempts are free at each.
func counterKeys(account string, origin Origin) (keys []storage.Hash, free []uint32) {
	account = strings.ToLower(strings.TrimSpace(account))
	if origin.Device != "" {
		return []storage.Hash{counterKey("known device", account+"\x00"+origin.Device, 0x00, 0x3f)}, []uint32{freePerAccount}
	}
	keys, free = []storage.Hash{counterKey("account", account, 0x80, 0x7f)}, []uint32{freePerAccount}
	for _, network := range clientNetworks(origin.Address) {
		keys, free = append(keys, counterKey("address", network.prefix, 0x40, 0x3f)), append(free, network.free)
	}
	return keys, free
}

// counterKey names a counter. Counters share slots by the first bits of their names, and a stranger chooses which accounts to try and
// from where. Each kind has slots of its own, so that no choice reaches a known device: accounts have half of all, the others a quarter.
func counterKey(kind, name string, prefix, mask byte) storage.Hash {
	key := storage.HashOf(kind + "\x00" + name)
	key[0] = prefix | key[0]&mask
	return key
}

// network is a range of addresses that shares a count of attempts.
type network struct {
	prefix string
	free   uint32
}

// clientNetworks returns the ranges in which an address counts: an IPv4 address by itself; an IPv6 address in its /64, the least that one
// subscriber has, and in its /48, the most that one usually has. An address that is not known counts nowhere.
func clientNetworks(address string) []network {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return []network{{addr.String(), freePerAddress}}
	}
	subscriber, _ := addr.Prefix(64)
	site, _ := addr.Prefix(48)
	return []network{{subscriber.String(), freePerAddress}, {site.String(), freePerSite}}
}
