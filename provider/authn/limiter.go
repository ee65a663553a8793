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

// Unlock resets counters of an account after its password was changed: the one for new browsers and those of devices
// (Origin.Device).
func (l Limiter) Unlock(ctx context.Context, account string, devices ...string) error {
	newBrowser := Origin{}
	origins := []Origin{newBrowser}
	for _, device := range devices {
		if device != "" {
			origins = append(origins, Origin{Device: device})
		}
	}
	for _, o := range origins {
		if err := l.refund(ctx, "unlock account", account, o, refund{all: true}); err != nil {
			return err
		}
	}
	return nil
}

// refund subtracts accountRefund from the counter of the account or the device, and one attempt from each counter of
// the address. action names the caller's action in an error.
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
	clockSetBack := elapsed < -time.Minute
	if elapsed >= resetAfter || clockSetBack {
		*counter = storage.Counter{}
	}
	if counter.Count < free {
		return 0
	}
	const maxDoublings = 16 // enough to reach maxDelay, without an overflow of the shift
	doublings := min(counter.Count-free, maxDoublings)
	delay := min(firstDelay<<doublings, maxDelay)
	return max(0, delay-max(0, elapsed))
}

// counterKeys returns the keys of the counters for an attempt, and the number of free attempts of each.
func counterKeys(account string, origin Origin) (keys []storage.Hash, free []uint32) {
	account = strings.ToLower(strings.TrimSpace(account))
	if origin.Device != "" {
		key := deviceCounters.key(account + "\x00" + origin.Device)
		return []storage.Hash{key}, []uint32{freePerAccount}
	}
	keys = append(keys, accountCounters.key(account))
	free = append(free, freePerAccount)
	for _, network := range clientNetworks(origin.Address) {
		keys = append(keys, addressCounters.key(network.prefix))
		free = append(free, network.free)
	}
	return keys, free
}

// counterKind is a kind of counters. Keys with the same first two bytes have one counter in the store, and an attacker
// can choose accounts and addresses with such keys. Therefore each kind has its own part of the counters: the first
// bits of a key are those of firstBits, and only the bits of mask come from the hash.
type counterKind struct {
	name      string
	firstBits byte
	mask      byte
}

var (
	accountCounters = counterKind{"account", 0b1000_0000, 0b0111_1111}      // half of the counters
	addressCounters = counterKind{"address", 0b0100_0000, 0b0011_1111}      // a quarter
	deviceCounters  = counterKind{"known device", 0b0000_0000, 0b0011_1111} // a quarter
)

// key returns the key of the counter for this account, address or device.
func (k counterKind) key(name string) storage.Hash {
	key := storage.HashOf(k.name + "\x00" + name)
	key[0] = k.firstBits | (key[0] & k.mask)
	return key
}

// network is a range of addresses that have one counter.
type network struct {
	prefix string
	free   uint32
}

// The prefix lengths of the IPv6 networks that have a counter.
const (
	subscriberPrefixLength = 64 // the smallest network of a subscriber
	sitePrefixLength       = 48 // the largest usual network of a subscriber
)

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
	subscriber, _ := addr.Prefix(subscriberPrefixLength)
	site, _ := addr.Prefix(sitePrefixLength)
	return []network{
		{subscriber.String(), freePerAddress},
		{site.String(), freePerSite},
	}
}
