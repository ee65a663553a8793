package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The kinds of records in the table expiry.
const (
	expiryToken      = 't'
	expiryUsedID     = 's'
	expiryGrant      = 'g'
	expiryRefresh    = 'x' // an exchanged refresh token of an offline grant
	expiryCutoff     = 'f'
	expiryBulkLogout = 'e'
	expiryLink       = 'l'
	expiryReport     = 'r'
	expiryDelivery   = 'd'
	expiryHostHealth = 'h'
	expiryMail       = 'm'
)

// Sweep implements storage.Store. It removes the records that expired first, so that one call changes neighbouring
// pages.
func (s *Store) Sweep(ctx context.Context, at time.Time, limit int) (int, error) {
	at = truncateToMillis(at)
	s.observeTime(at)
	return write(ctx, s, func(t *tx) (int, error) {
		removedUses := false
		var expired [][]byte
		for k := range t.scanPrefix(expiry, nil) {
			if keyTime(k).After(at) || len(expired) == limit {
				break
			}
			expired = append(expired, bytes.Clone(k))
		}
		for _, k := range expired {
			t.delete(expiry, k)
			t.sweepRecord(k[timeKeyLength], k[timeKeyLength+1:], at)
			removedUses = removedUses || k[timeKeyLength] == expiryUsedID
		}
		deleted := len(expired)
		deleted += t.sweepCodes(limit-deleted, at)
		if h := t.cache.sweepHistory; removedUses || at.Before(h.LastDeletion) {
			t.setSweepHistory(h.AddUses(at, removedUses))
		}
		return deleted + t.emptyTrash(limit-deleted), nil
	})
}

// scheduleExpiry adds a record to the table expiry, so that Sweep removes it after that time.
func (t *tx) scheduleExpiry(at time.Time, kind byte, key []byte) {
	t.put(expiry, timeKey(at, append([]byte{kind}, key...)...), nil)
}

// sweepRecord removes a record that the table expiry names. The record may have been removed before. If it was changed
// and expires later, sweepRecord leaves it and, if need be, schedules its expiry again.
func (t *tx) sweepRecord(kind byte, key []byte, at time.Time) {
	switch kind {
	case expiryToken:
		if token, ok := load[storage.Token](t, tokens, key); ok && !at.Before(token.Expires) {
			t.delete(tokens, key)
		}
	case expiryUsedID:
		if !t.usedIDExpiry(key).After(at) {
			t.delete(usedIDs, key)
		}
	case expiryGrant:
		if g, ok := t.grant(string(key)); ok {
			if g.UnexpiredAt(at) {
				t.reschedule(g.Deadline(), kind, key)
			} else {
				t.removeGrant(g)
			}
		}
	case expiryRefresh:
		t.delete(refreshTokens, key)
	case expiryCutoff:
		t.sweepCutoffs(key, at)
	case expiryBulkLogout:
		t.delete(bulkLogouts, key)
	case expiryLink:
		if l, ok := load[storage.OneTimeLink](t, oneTimeLinks, key); ok && !at.Before(l.Expires) {
			t.removeLink(l)
		}
	case expiryReport:
		if r, ok := load[storage.Report](t, reports, key); ok && !at.Before(r.DeleteAfter) {
			t.removeReport(r)
		}
	case expiryDelivery:
		t.sweepDelivery(key, at)
	case expiryHostHealth:
		t.sweepHostHealth(key, at)
	case expiryMail:
		if m, ok := load[storage.Mail](t, mails, key); ok {
			t.removeMail(m)
		}
	default:
		t.fail(unavailable(fmt.Errorf("read expiry: kind %q", kind)))
	}
}

// sweepDelivery removes a delivery, unless an administrator retried it and it is pending again.
func (t *tx) sweepDelivery(key []byte, at time.Time) {
	d, ok := t.delivery(string(key))
	if !ok {
		return
	}
	if d.State == storage.DeliveryPending && at.Before(d.GiveUpAt) {
		t.reschedule(d.GiveUpAt, expiryDelivery, key)
		return
	}
	t.deleteDeliveryIndexes(d)
	t.adjustDeliveryCount(d.State, -1)
	t.delete(deliveries, key)
}

// sweepCodes removes the uses of up to limit codes that have expired. It walks them in the order of their issue and
// stops at the first code that has not expired, because all codes have about the same lifetime.
func (t *tx) sweepCodes(limit int, at time.Time) int {
	var expired [][]byte
	for k, v := range t.scanPrefix(usedCodes, nil) {
		if len(expired) >= limit {
			break
		}
		if use, ok := parseCodeUse(v); ok && use.expiresAt.After(at) {
			break
		}
		expired = append(expired, bytes.Clone(k))
	}
	for _, k := range expired {
		t.delete(usedCodes, k)
	}
	if len(expired) > 0 {
		t.setSweepHistory(t.cache.sweepHistory.AddCodes(at, t.nextSequence()))
	}
	return len(expired)
}

// reschedule adds a record whose expiry has moved to the table expiry again. It ignores the zero time (no expiry).
func (t *tx) reschedule(at time.Time, kind byte, key []byte) {
	if !at.IsZero() {
		t.scheduleExpiry(at, kind, key)
	}
}
