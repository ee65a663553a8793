package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ErrUnknownKey means that no key has the id.
var ErrUnknownKey = errors.New("no such key")

// Maintain makes missing keys, replaces old ones ([Config.RotateAfter]), destroys the private parts of retired keys,
// removes keys that are gone, and loads changes by other replicas. Only this call gives a key its next state, so call
// it about once a minute. With replicas, call it every few seconds.
func (r *Ring) Maintain(ctx context.Context, at time.Time) error {
	return r.update(ctx, at, func(e *edit) error {
		if err := e.makeMissing(); err != nil {
			return err
		}
		for _, k := range e.latestKeys() {
			e.retirePredecessors(k) // two keys can be active if the clock was changed
			if r.cfg.RotateAfter <= 0 || !e.isReplaceable(k) {
				continue
			}
			replaceAt := k.record.ActiveAt.Add(r.cfg.RotateAfter)
			publishAt := replaceAt.Add(-r.cfg.PendingPeriod)
			if e.at.Before(publishAt) {
				continue
			}
			activeAt := laterOf(replaceAt, e.at.Add(r.cfg.PendingPeriod))
			if err := e.replace(k, activeAt, "age"); err != nil {
				return err
			}
		}
		e.cleanUp()
		return nil
	})
}

// Run calls Maintain every [Config.Interval] until ctx ends. It passes errors to report.
func (r *Ring) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(r.cfg.Interval)
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

// Rotate replaces all signing and sealing keys. The new keys are published at once. They sign after
// [Config.PendingPeriod], so that relying parties have time to fetch them. With atOnce they sign immediately, and a
// relying party must fetch the JWKS again for an unknown kid. If a key is already pending, Rotate makes no other. All
// values that the old keys have signed or sealed stay valid. by is the author for the audit trail.
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

// Revoke removes a key that may have leaked. All values that it has signed, sealed or derived become invalid at once.
// If the key was active, another one becomes active. The pairwise key cannot be revoked, because all pairwise subjects
// would change. If no key has the id, the error is ErrUnknownKey.
func (r *Ring) Revoke(ctx context.Context, at time.Time, id, by string) error {
	return r.update(ctx, at, func(e *edit) error {
		e.by = by
		i := slices.IndexFunc(e.keys, func(k *key) bool { return k.record.ID == id })
		if i < 0 {
			return fmt.Errorf("revoke key %q: %w", id, ErrUnknownKey)
		}
		revoked := e.keys[i]
		if revoked.record.Use == UsePairwise {
			return errors.New("revoke key: every pairwise subject would change")
		}
		oldState := StateOf(revoked.record, e.at)
		revoked.record.RemovableAt = e.at
		e.addEvent("key.revoked", revoked.record, nil)
		e.cleanUp()
		for _, other := range e.keys {
			if kindOf(other) != kindOf(revoked) {
				continue
			}
			switch {
			case oldState == Active && StateOf(other.record, e.at) == Pending:
				e.activate(other)
			case oldState == Pending && other.record.RetiredAt.After(e.at):
				e.keepActive(other) // the revoked key would have replaced it
			}
		}
		return e.makeMissing()
	})
}

// Renew replaces all keys but the pairwise one, for a store that was restored from a backup. New signing keys sign at
// once. The old ones stay published for the tokens that they have signed ([Config.MaxTokenLifetime]). Sealing and
// derivation keys and signing keys that were pending are removed: codes, interactions and cookies that they have sealed
// become invalid. by is the author for the audit trail.
func (r *Ring) Renew(ctx context.Context, at time.Time, by string) error {
	return r.update(ctx, at, func(e *edit) error {
		e.by = by
		for _, k := range e.keys {
			isPending := StateOf(k.record, e.at) == Pending
			if k.record.Use == UsePairwise || k.record.Use == UseSign && !isPending {
				continue
			}
			k.record.RemovableAt = e.at
			e.addEvent("key.revoked", k.record, nil)
		}
		e.cleanUp()
		for _, alg := range e.ring.cfg.Algorithms {
			k, err := e.create(keyKind{UseSign, alg}, e.at, "restore")
			if err != nil {
				return err
			}
			e.retirePredecessors(k)
		}
		if err := e.makeMissing(); err != nil {
			return err
		}
		e.cleanUp()
		return nil
	})
}

// edit is a change of the keys, which is stored in one transaction.
type edit struct {
	ring       *Ring
	at         time.Time
	by         string // the author for the audit trail; empty: Curfew itself
	keys       []*key
	changedIDs []string
	removedIDs []string
	events     []storage.Event
}

// keyKind is a use and, for signing keys, an algorithm. One key of each kind is active.
type keyKind struct {
	use string
	alg string
}

func kindOf(k *key) keyKind { return keyKind{k.record.Use, k.record.Alg} }

// update reads the keys, calls change, stores the changed keys and makes them current. If another replica changes the
// keys at the same time, update starts again. If the store fails, the current keys do not change, and the next update
// reads the store again.
func (r *Ring) update(ctx context.Context, at time.Time, change func(*edit) error) error {
	r.updateMu.Lock()
	defer r.updateMu.Unlock()
	for {
		err := r.updateOnce(ctx, at, change)
		changedByReplica := errors.Is(err, storage.ErrChanged)
		if !changedByReplica || ctx.Err() != nil {
			return err
		}
	}
}

func (r *Ring) updateOnce(ctx context.Context, at time.Time, change func(*edit) error) error {
	records, err := r.cfg.Store.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	keys, err := r.parseKeys(records)
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
		if err := r.cfg.Store.PutKeys(ctx, records, changed, e.removedIDs, e.events...); err != nil {
			return fmt.Errorf("store keys: %w", err)
		}
	}
	updated, err := newSnapshot(e.keys, r.cfg.Algorithms, e.at)
	if err != nil {
		return fmt.Errorf("encode JWKS: %w", err)
	}
	r.current.Store(updated)
	return nil
}

// makeMissing makes a key of each required kind that has no active key. The new key is active at once.
func (e *edit) makeMissing() error {
	required := []keyKind{{use: UseSeal}, {use: UseRefresh}, {use: UsePairwise}}
	for _, alg := range e.ring.cfg.Algorithms {
		required = append(required, keyKind{UseSign, alg})
	}
	for _, kind := range required {
		hasActive := slices.ContainsFunc(e.keys, func(k *key) bool {
			return kindOf(k) == kind && StateOf(k.record, e.at) == Active
		})
		if hasActive {
			continue
		}
		if _, err := e.create(kind, e.at, "missing"); err != nil {
			return err
		}
	}
	return nil
}

// latestKeys returns the latest key without a successor for each kind that is rotated: signing and sealing keys.
func (e *edit) latestKeys() []*key {
	latest := map[keyKind]*key{}
	for _, k := range e.keys {
		isRotated := k.record.Use == UseSign || k.record.Use == UseSeal
		hasSuccessor := !k.record.RetiredAt.IsZero()
		if isRotated && !hasSuccessor && activeNoEarlier(k, latest[kindOf(k)]) {
			latest[kindOf(k)] = k
		}
	}
	var all []*key
	for _, k := range e.keys {
		if latest[kindOf(k)] == k {
			all = append(all, k)
		}
	}
	return all
}

// isReplaceable reports whether k is active and its algorithm is still configured.
func (e *edit) isReplaceable(k *key) bool {
	if k.record.Use == UseSign && !slices.Contains(e.ring.cfg.Algorithms, k.record.Alg) {
		return false
	}
	return StateOf(k.record, e.at) == Active
}

// replace makes a successor of a key, which becomes active at activeAt.
func (e *edit) replace(old *key, activeAt time.Time, reason string) error {
	next, err := e.create(kindOf(old), activeAt, reason)
	if err != nil {
		return err
	}
	e.retirePredecessors(next)
	return nil
}

// activate makes a pending key active at once.
func (e *edit) activate(k *key) {
	k.record.ActiveAt = e.at
	e.changedIDs = append(e.changedIDs, k.record.ID)
	e.addEvent("key.activated", k.record, nil)
	e.retirePredecessors(k)
}

// keepActive removes the times at which a key would have been retired.
func (e *edit) keepActive(k *key) {
	k.record.RetiredAt = time.Time{}
	k.record.ArchivedAt = time.Time{}
	k.record.RemovableAt = time.Time{}
	e.changedIDs = append(e.changedIDs, k.record.ID)
}

// retirePredecessors sets the times at which all earlier keys of the kind are retired, archived and removed: next
// replaces them when it becomes active.
func (e *edit) retirePredecessors(next *key) {
	for _, k := range e.keys {
		if k == next || kindOf(k) != kindOf(next) {
			continue
		}
		record := &k.record
		retiredBefore := !record.RetiredAt.IsZero() && !record.RetiredAt.After(next.record.ActiveAt)
		if retiredBefore {
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

// create makes a key of this kind, which becomes active at activeAt. reason is for the audit trail.
func (e *edit) create(kind keyKind, activeAt time.Time, reason string) (*key, error) {
	k, err := newKey(e.ring.wrapper, kind.use, kind.alg, e.ring.cfg.RSABits, e.at)
	if err != nil {
		return nil, fmt.Errorf("make %s key: %w", kind.use, err)
	}
	k.record.ActiveAt = activeAt.UTC().Truncate(time.Millisecond)
	e.keys = append(e.keys, k)
	e.changedIDs = append(e.changedIDs, k.record.ID)
	e.addEvent("key.created", k.record, map[string]string{
		"why":    reason,
		"active": k.record.ActiveAt.Format(time.RFC3339),
	})
	return k, nil
}

// cleanUp destroys the private parts of keys that no longer sign, and removes keys that are gone.
func (e *edit) cleanUp() {
	e.keys = slices.DeleteFunc(e.keys, func(k *key) bool {
		state := StateOf(k.record, e.at)
		if state == Removable {
			e.removedIDs = append(e.removedIDs, k.record.ID)
			return true
		}
		noLongerSigns := state == Retired || state == Archived
		if noLongerSigns && k.private != nil {
			k.record = k.withoutPrivateKey(e.ring.wrapper)
			k.private = nil
			k.signers = nil
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
	detail["key"] = record.ID
	detail["use"] = record.Use
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
