package bolt

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// SetAuditKey implements storage.Events.
func (s *Store) SetAuditKey(key storage.AuditKey) { s.auditKey.Store(&key) }

// AppendEvents implements storage.Events.
func (s *Store) AppendEvents(ctx context.Context, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		t.appendEvents(e)
		return nil
	})
}

// ListEvents implements storage.Events.
func (s *Store) ListEvents(
	ctx context.Context,
	f storage.EventFilter,
	p storage.Page,
) ([]storage.Event, string, error) {
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.scanEvents(f, after) }
	return list(ctx, s, p, walk, func(t *tx, n, _ []byte) (storage.Event, bool) {
		e, ok := load[storage.Event](t, events, n)
		return e, ok && matchesFilter(f, e)
	})
}

// scanEvents walks the sequence numbers of lines that the filter may select, in the order that the filter asks for. It
// begins behind the number after; nil: at the first number.
func (t *tx) scanEvents(f storage.EventFilter, after []byte) iter.Seq2[[]byte, []byte] {
	index, prefix := events, []byte(nil)
	if f.Subject != "" {
		index, prefix = eventsByUser, keyPrefix(f.Subject)
	}
	var from []byte
	if after != nil {
		from = append(bytes.Clone(prefix), after...)
	}
	walk := t.scanAfter
	if f.Newest {
		walk = t.scanBackward
	}
	return func(yield func(n, _ []byte) bool) {
		for k, v := range walk(index, prefix, from) {
			if !yield(k[len(prefix):], v) {
				return
			}
		}
	}
}

// matchesFilter reports whether the filter selects a line.
func matchesFilter(f storage.EventFilter, e storage.Event) bool {
	kindMatches := f.Kind == "" || e.Kind == f.Kind
	if strings.HasSuffix(f.Kind, ".") {
		kindMatches = strings.HasPrefix(e.Kind, f.Kind)
	}
	return kindMatches &&
		(f.Subject == "" || e.Subject == f.Subject) &&
		(f.Client == "" || e.Client == f.Client) &&
		(f.Session == "" || e.Session == f.Session) &&
		(f.Reason == "" || e.Reason == f.Reason) &&
		(f.Since.IsZero() || !e.At.Before(f.Since)) &&
		(f.Until.IsZero() || e.At.Before(f.Until))
}

// removalKey is the key of the removal in the table meta.
var removalKey = []byte("removed_events")

// RemoveEvents implements storage.Events.
func (s *Store) RemoveEvents(ctx context.Context, before, at time.Time, limit int) (int, error) {
	return write(ctx, s, func(t *tx) (int, error) {
		list := t.oldEvents(before, limit)
		if len(list) == 0 {
			return 0, nil
		}
		for _, e := range list {
			n := sequenceKey(e.Seq)
			t.delete(events, n)
			if e.Subject != "" {
				t.delete(eventsByUser, append(keyPrefix(e.Subject), n...))
			}
		}
		last := list[len(list)-1]
		removal := storage.Checkpoint{Seq: last.Seq, Hash: last.Hash, At: at}
		t.put(meta, removalKey, []byte(removal.SignRemoval(t.auditKey)))
		return len(list), nil
	})
}

// oldEvents returns up to limit lines at the beginning of the trail that are older than before. The last line of the
// trail is not among them.
func (t *tx) oldEvents(before time.Time, limit int) (list []storage.Event) {
	for _, v := range t.scanPrefix(events, nil) {
		e, ok := decode[storage.Event](t, events, v)
		if !ok || len(list) == limit || !e.At.Before(before) || e.Seq == t.auditTail.seq {
			break
		}
		list = append(list, e)
	}
	return list
}

// EventRemoval implements storage.Events.
func (s *Store) EventRemoval(ctx context.Context) (removal string, err error) {
	err = s.view(ctx, func(t *tx) error {
		removal = string(t.get(meta, removalKey))
		return nil
	})
	return removal, err
}

// appendEvents adds lines to the trail, in order.
func (t *tx) appendEvents(list []storage.Event) {
	for _, e := range list {
		t.appendEvent(e)
	}
}

// appendEvent adds a line to the trail and returns its sequence number.
func (t *tx) appendEvent(e storage.Event) uint64 {
	e.Chain(t.auditTail.seq, t.auditTail.hash, t.auditKey)
	n := sequenceKey(e.Seq)
	t.store(events, n, e)
	if e.Subject != "" {
		t.put(eventsByUser, append(keyPrefix(e.Subject), n...), nil)
	}
	t.auditTail = auditTail{seq: e.Seq, hash: e.Hash}
	if e.Notice != nil {
		t.addNotice(*e.Notice)
	}
	return e.Seq
}
