package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// What a key in the order of expiry names.
const (
	expiryToken    = 't'
	expirySpent    = 's'
	expiryGrant    = 'g'
	expiryRefresh  = 'x' // a refresh token that was exchanged, of an offline grant
	expiryFence    = 'f'
	expiryEnding   = 'e'
	expiryLink     = 'l'
	expiryReport   = 'r'
	expiryDelivery = 'd'
)

// Sweep implements storage.Store. It works by cursor from the oldest on, so that a chunk touches neighbouring pages.
func (s *Store) Sweep(ctx context.Context, at time.Time, limit int) (int, error) {
	at = milli(at)
	s.saw(at)
	return write(ctx, s, func(t *tx) (int, error) {
		forgets := false
		var past [][]byte
		for k := range t.prefix(expiry, nil) {
			if keyTime(k).After(at) || len(past) == limit {
				break
			}
			past = append(past, bytes.Clone(k))
		}
		for _, k := range past {
			t.delete(expiry, k)
			t.sweep(k[timeLength], k[timeLength+1:], at)
			forgets = forgets || k[timeLength] == expirySpent || k[timeLength] == expiryFence
		}
		gone := len(past)
		uses := t.sweepCodes(limit-gone, at)
		gone += uses
		t.remember(at, forgets || uses > 0)
		return gone + t.emptyTrash(limit-gone), nil
	})
}

// expire puts a record where Sweep will find it.
func (t *tx) expire(at time.Time, kind byte, key []byte) {
	t.put(expiry, timeKey(at, append([]byte{kind}, key...)...), nil)
}

// sweep removes what a place in the order of expiry names, unless it is gone or has been given more time.
func (t *tx) sweep(kind byte, key []byte, at time.Time) {
	switch kind {
	case expiryToken:
		if k, ok := load[storage.Token](t, tokens, key); ok && !at.Before(k.Expires) {
			t.delete(tokens, key)
		}
	case expirySpent:
		if !t.spentUntil(key).After(at) {
			t.delete(spent, key)
		}
	case expiryGrant:
		if g, ok := t.grant(string(key)); ok {
			if t.unexpired(g, at) {
				t.again(g.Deadline(), kind, key)
			} else {
				t.removeGrant(g)
			}
		}
	case expiryRefresh:
		t.delete(refreshes, key)
	case expiryFence:
		t.sweepFence(key, at)
	case expiryEnding:
		t.delete(endings, key)
	case expiryLink:
		if l, ok := load[storage.Link](t, links, key); ok && !at.Before(l.Expires) {
			t.removeLink(l)
		}
	case expiryReport:
		if r, ok := load[storage.Report](t, reports, key); ok && !at.Before(r.Keep) {
			t.removeReport(r)
		}
	case expiryDelivery:
		if d, ok := t.delivery(string(key)); ok {
			if d.State == storage.DeliveryPending && at.Before(d.GiveUp) {
				t.again(d.GiveUp, kind, key)
			} else {
				t.dropDelivery(d)
				t.countDelivery(d.State, -1)
				t.delete(deliveries, key)
			}
		}
	default:
		t.fail(unavailable(fmt.Errorf("read expiry: kind %q", kind)))
	}
}

// sweepCodes removes up to limit uses of codes that have expired since; codes live about equally long.
func (t *tx) sweepCodes(limit int, at time.Time) int {
	var past [][]byte
	for k, v := range t.prefix(codes, nil) {
		if u, ok := readUse(v); len(past) >= limit || (ok && u.until.After(at)) {
			break
		}
		past = append(past, bytes.Clone(k))
	}
	for _, k := range past {
		t.delete(codes, k)
	}
	return len(past)
}

// again puts a record that was given more time where Sweep will find it next.
func (t *tx) again(at time.Time, kind byte, key []byte) {
	if !at.IsZero() {
		t.expire(at, kind, key)
	}
}

// sweepFence removes the fences of a scope that are past their time.
func (t *tx) sweepFence(scope []byte, at time.Time) {
	list, ok := load[[]fence](t, fences, scope)
	if !ok {
		return
	}
	list = slices.DeleteFunc(list, func(f fence) bool { return !at.Before(f.Until) })
	if len(list) == 0 {
		t.delete(fences, scope)
		return
	}
	t.store(fences, scope, list)
}
