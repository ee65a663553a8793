package authn

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The free attempts of each counter have no wait. Each further attempt doubles the wait, from firstDelay to maxDelay.
// An address has more free attempts than an account, because many users may share it. An IPv6 /48 (a site) has still
// more.
const (
	freePerAccount = 5
	freePerAddress = 50
	freePerSite    = 200
	firstDelay     = 2 * time.Second // at least 2 s: the store keeps times in whole seconds
	maxDelay       = 15 * time.Minute
	resetAfter     = time.Hour // a counter without an attempt for this long starts at zero
)

// Origin is where an attempt comes from.
type Origin struct {
	Address string // the IP address of the browser; empty: unknown, no limit by address
	Device  string // identifies a browser in which the user signed in before; empty: a new browser
}

// Limiter limits attempts to sign in, for each account and each client address. The store has its counters, so they
// survive a restart and all replicas use the same ones.
type Limiter struct {
	Store   storage.Attempts
	Refunds *Refunds // refunds that the store failed to write, for the next attempt; nil: they are lost
}

// TooManyAttemptsError refuses an attempt.
type TooManyAttemptsError struct {
	Wait time.Duration // until an attempt is allowed again
}

func (e *TooManyAttemptsError) Error() string {
	return fmt.Sprintf("too many attempts, wait %v", e.Wait)
}

// Allow counts an attempt or refuses it with *[TooManyAttemptsError], in one transaction. A refused attempt is not
// counted. Any other error comes from the store; the caller must then not check the password.
//
// account is the user's subject, so that login name and e-mail address have one counter. If no user has the typed name,
// account is that name. An attempt from a known device increases only the counter of account and device, so attempts
// from other devices cannot lock the user out of a known device.
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
	l.Refunds.remove(keys, refunds)
	return nil
}

// RecordSuccess resets the counter of the account or device after a successful attempt. From the counters of the
// address it takes only this attempt. Otherwise an attacker with an account could reset them, and go on to guess the
// passwords of other accounts.
func (l Limiter) RecordSuccess(ctx context.Context, account string, origin Origin) error {
	return l.refund(ctx, "reset attempts", account, origin, refund{all: true})
}

// Refund takes back an attempt that Allow counted but whose password was not checked.
func (l Limiter) Refund(ctx context.Context, account string, origin Origin) error {
	return l.refund(ctx, "refund attempt", account, origin, refund{attempts: 1})
}

// Unlock resets the counters of an account after its password was changed: the one for new browsers and the one for
// origin's device.
func (l Limiter) Unlock(ctx context.Context, account string, origin Origin) error {
	for _, o := range []Origin{{}, {Device: origin.Device}} {
		if err := l.refund(ctx, "unlock account", account, o, refund{all: true}); err != nil {
			return err
		}
	}
	return nil
}

// refund takes accountRefund off the counter of the account or the device, and one attempt off the counters of the
// address. action names the caller's action in an error.
func (l Limiter) refund(ctx context.Context, action, account string, origin Origin, accountRefund refund) error {
	keys, _ := counterKeys(account, origin)
	refunds := make([]refund, len(keys))
	for i := range refunds {
		refunds[i] = refund{attempts: 1}
	}
	refunds[0] = accountRefund // counterKeys returns the account or device first
	err := l.Store.CountAttempt(ctx, keys, func(counters []storage.Counter) error {
		for i := range counters {
			refunds[i].takeOff(&counters[i])
		}
		return nil
	})
	if err != nil {
		l.Refunds.keepIfFailed(err, keys, refunds)
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// waitFor returns how long after at the counter refuses attempts. It resets a counter without an attempt for
// resetAfter. It also resets a counter whose last attempt is over a minute in the future, because the clock was then
// set back.
func waitFor(counter *storage.Counter, at time.Time, free uint32) time.Duration {
	elapsed := at.Sub(counter.Last)
	if elapsed >= resetAfter || elapsed < -time.Minute {
		*counter = storage.Counter{}
	}
	if counter.Count < free {
		return 0
	}
	doublings := min(counter.Count-free, 16) // 16 are enough to reach maxDelay, and the shift cannot overflow
	delay := min(firstDelay<<doublings, maxDelay)
	return max(0, delay-max(0, elapsed))
}

// counterKeys returns the keys of the counters for an attempt, and the number of free attempts of each.
func counterKeys(account string, origin Origin) (keys []storage.Hash, free []uint32) {
	account = strings.ToLower(strings.TrimSpace(account))
	if origin.Device != "" {
		key := counterKey("known device", account+"\x00"+origin.Device, 0x00, 0x3f)
		return []storage.Hash{key}, []uint32{freePerAccount}
	}
	keys = append(keys, counterKey("account", account, 0x80, 0x7f))
	free = append(free, freePerAccount)
	for _, network := range clientNetworks(origin.Address) {
		keys = append(keys, counterKey("address", network.prefix, 0x40, 0x3f))
		free = append(free, network.free)
	}
	return keys, free
}

// counterKey returns the key of a counter: a hash whose first bits are replaced by prefix. mask selects the bits of the
// first byte that are not replaced. Keys with the same first two bytes have one counter in the store, and an attacker
// can choose accounts and addresses with such keys. Therefore each kind has its own part of the counters: accounts half
// of them, addresses and known devices a quarter each.
func counterKey(kind, name string, prefix, mask byte) storage.Hash {
	key := storage.HashOf(kind + "\x00" + name)
	key[0] = prefix | (key[0] & mask)
	return key
}

// network is a range of addresses that have one counter.
type network struct {
	prefix string
	free   uint32
}

// clientNetworks returns the networks whose counters an attempt from address increases. For IPv4 that is the address
// alone. For IPv6 it is the /64, the smallest network that a subscriber has, and the /48, the largest usual one. If
// address is no IP address, it returns none.
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
	return []network{
		{subscriber.String(), freePerAddress},
		{site.String(), freePerSite},
	}
}
