package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ErrUnknownKey: there is no such key.
var ErrUnknownKey = errors.New("no such key")

// Maintain does what time asks for: it makes missing keys, replaces old ones ([Config.RotateAfter]), destroys private
// parts that sign no more, removes what is gone, and takes in what others changed. Call it about once a minute; a state
// that a row reaches in between counts from the next call.
func (r *Ring) Maintain(ctx context.Context, at time.Time) error {
	return r.update(ctx, at, func(e *edit) error {
		if err := e.makeMissing(); err != nil {
			return err
		}
		for _, k := range e.latestKeys() {
			e.retirePredecessors(k) // a clock that was set back and forth can leave two active
			due := k.record.ActiveAt.Add(r.cfg.RotateAfter)
			// The successor is published before its time, so that it takes over at this age.
			if r.cfg.RotateAfter <= 0 || e.at.Before(due.Add(-r.cfg.PendingPeriod)) || !e.isReplaceable(k) {
				continue
			}
			if err := e.replace(k, laterOf(due, e.at.Add(r.cfg.PendingPeriod)), "age"); err != nil {
				return err
			}
		}
		e.cleanUp()
		return nil
	})
}

// Run maintains until ctx ends. It passes failures to report, and tries again in a minute.
func (r *Ring) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.Maintain(ctx, r.cfg.Now()); err != nil && ctx.Err() == nil {
				report(err)
			}
		}
	}
}

// Rotate replaces all signing and sealing keys. The new ones are published at once and sign when relying parties have
// had time to see them ([Config.Pending]); atOnce, they sign immediately, and a relying party has to fetch the JWKS
// when it meets an unknown kid. Keys that are pending already are taken, not made anew. Everything that the old ones
// signed or sealed stays valid. by is who asks, for the audit trail.
func (r *Ring) Rotate(ctx context.Context, at time.Time, atOnce bool, by string) error {
	return r.update(ctx, at, func(e *edit) error {
		e.by = by
		activeAt := e.at.Add(r.cfg.PendingPeriod)
		if atOnce {
			activeAt = e.at
		}
		for _, k := range e.latestKeys() {
			if StateOf(k.record, e.at) == Pending {
				if atOnce {
					e.activate(k)
				}
				continue
			}
			if !e.isReplaceable(k) {
				continue
			}
			if err := e.replace(k, activeAt, "command"); err != nil {
				return err
			}
		}
		return nil
	})
}

// Revoke removes one key at once, because it may have leaked: nothing that it signed, sealed or derived
// counts any longer. A successor signs in its place where there is none. The pairwise key cannot be revoked: all
// subjects would change. ErrUnknown.
func (r *Ring) Revoke(ctx context.Context, at time.Time, id, by string) error {
	return r.update(ctx, at, func(e *edit) error {
		e.by = by
		i := slices.IndexFunc(e.keys, func(k *key) bool { return k.record.ID == id })
		if i < 0 {
			return fmt.Errorf("revoke key %q: %w", id, ErrUnknownKey)
		}
		k := e.keys[i]
		if k.record.Use == UsePairwise {
			return errors.New("revoke key: every pairwise subject would change")
		}
		oldState := StateOf(k.record, e.at)
		k.record.RemovableAt = e.at
		e.addEvent("key.revoked", k.record, nil)
		e.cleanUp()
		for _, other := range e.keys {
			record := &other.record
			switch {
			case record.Use != k.record.Use || record.Alg != k.record.Alg:
			case oldState == Active && StateOf(*record, e.at) == Pending:
				e.activate(other)
			case oldState == Pending && record.RetiredAt.After(e.at): // it was to make way for the revoked one
				record.RetiredAt, record.ArchivedAt, record.RemovableAt = time.Time{}, time.Time{}, time.Time{}
				e.changedIDs = append(e.changedIDs, record.ID)
			}
		}
		return e.makeMissing()
	})
}

// edit is a change of the keys, stored in one transaction.
type edit struct {
	ring       *Ring
	at         time.Time
	by         string
	keys       []*key
	changedIDs []string // ids
	removedIDs []string
	events     []storage.Event
}

// update reads the rows, lets change do its work on them, stores the outcome, and puts it in use. If storing fails
// nothing is put in use: what the store then holds is read the next time.
func (r *Ring) update(ctx context.Context, at time.Time, change func(*edit) error) error {
	r.updateMu.Lock()
	defer r.updateMu.Unlock()
	keys, err := r.readKeys(ctx)
	if err != nil {
		return err
	}
	e := &edit{ring: r, at: at.UTC().Truncate(time.Millisecond), keys: keys}
	if err := change(e); err != nil {
		return err
	}
	var changed []storage.Key
	for _, k := range e.keys {
		if slices.Contains(e.changedIDs, k.record.ID) {
			changed = append(changed, k.record)
		}
	}
	if len(changed)+len(e.removedIDs) > 0 {
		if err := r.cfg.Store.PutKeys(ctx, changed, e.removedIDs, e.events...); err != nil {
			return fmt.Errorf("store keys: %w", err)
		}
	}
	s, err := newSnapshot(e.keys, r.cfg.Algorithms, e.at)
	if err != nil {
		return fmt.Errorf("encode JWKS: %w", err)
	}
	r.current.Store(s)
	return nil
}

// makeMissing makes every key without which something would not work. It is active at once: no client has cached
// another.
func (e *edit) makeMissing() error {
	required := [][2]string{{UseSeal, ""}, {UseRefresh, ""}, {UsePairwise, ""}}
	for _, alg := range e.ring.cfg.Algorithms {
		required = append(required, [2]string{UseSign, alg})
	}
	for _, n := range required {
		if slices.ContainsFunc(e.keys, func(k *key) bool {
			return k.record.Use == n[0] && k.record.Alg == n[1] && StateOf(k.record, e.at) == Active
		}) {
			continue
		}
		if _, err := e.create(n[0], n[1], e.at, "missing"); err != nil {
			return err
		}
	}
	return nil
}

// latestKeys is the key of each kind that nothing follows yet, as far as the kind is replaced in time.
func (e *edit) latestKeys() []*key {
	latest := map[[2]string]*key{}
	for _, k := range e.keys {
		kind := [2]string{k.record.Use, k.record.Alg}
		if (k.record.Use == UseSign || k.record.Use == UseSeal) && k.record.RetiredAt.IsZero() &&
			isNewer(k, latest[kind]) {
			latest[kind] = k
		}
	}
	var all []*key
	for _, k := range e.keys {
		if latest[[2]string{k.record.Use, k.record.Alg}] == k {
			all = append(all, k)
		}
	}
	return all
}

// isReplaceable: a key that signs, for an algorithm that is still offered.
func (e *edit) isReplaceable(k *key) bool {
	return StateOf(k.record, e.at) == Active &&
		(k.record.Use != UseSign || slices.Contains(e.ring.cfg.Algorithms, k.record.Alg))
}

func (e *edit) replace(old *key, activeAt time.Time, reason string) error {
	next, err := e.create(old.record.Use, old.record.Alg, activeAt, reason)
	if err != nil {
		return err
	}
	e.retirePredecessors(next)
	return nil
}

// activate makes a pending key sign at once.
func (e *edit) activate(k *key) {
	k.record.ActiveAt = e.at
	e.changedIDs = append(e.changedIDs, k.record.ID)
	e.addEvent("key.activated", k.record, nil)
	e.retirePredecessors(k)
}

// retirePredecessors dates the end of all that came before next.
func (e *edit) retirePredecessors(next *key) {
	for _, k := range e.keys {
		record := &k.record
		if k == next || record.Use != next.record.Use || record.Alg != next.record.Alg ||
			!record.RetiredAt.IsZero() && !record.RetiredAt.After(next.record.ActiveAt) {
			continue
		}
		record.RetiredAt = next.record.ActiveAt
		if record.Use == UseSign {
			record.ArchivedAt = record.RetiredAt.Add(e.ring.cfg.MaxTokenLifetime)
			record.RemovableAt = record.ArchivedAt.Add(e.ring.cfg.HintLifetime)
		} else {
			record.RemovableAt = record.RetiredAt.Add(sealingKeyRetention)
		}
		e.changedIDs = append(e.changedIDs, record.ID)
	}
}

func (e *edit) create(use, alg string, activeAt time.Time, reason string) (*key, error) {
	k, err := newKey(e.ring.wrapper, use, alg, e.ring.cfg.RSABits, e.at)
	if err != nil {
		return nil, fmt.Errorf("make %s key: %w", use, err)
	}
	k.record.ActiveAt = activeAt.UTC().Truncate(time.Millisecond)
	e.keys = append(e.keys, k)
	e.changedIDs = append(e.changedIDs, k.record.ID)
	e.addEvent(
		"key.created",
		k.record,
		map[string]string{"why": reason, "active": k.record.ActiveAt.Format(time.RFC3339)},
	)
	return k, nil
}

// cleanUp destroys private parts that sign no more and drops what is gone.
func (e *edit) cleanUp() {
	e.keys = slices.DeleteFunc(e.keys, func(k *key) bool {
		state := StateOf(k.record, e.at)
		if state == Removable {
			e.removedIDs = append(e.removedIDs, k.record.ID)
			return true
		}
		if k.private != nil && (state == Retired || state == Archived) {
			k.record, k.private, k.signers = k.withoutPrivateKey(e.ring.wrapper), nil, nil
			e.changedIDs = append(e.changedIDs, k.record.ID)
			e.addEvent("key.destroyed", k.record, nil)
		}
		return false
	})
}

func (e *edit) addEvent(kind string, record storage.Key, detail map[string]string) {
	if detail == nil {
		detail = map[string]string{}
	}
	detail["key"], detail["use"] = record.ID, record.Use
	if record.Alg != "" {
		detail["alg"] = record.Alg
	}
	e.events = append(e.events, storage.Event{At: e.at, Kind: kind, By: e.by, Detail: detail})
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
