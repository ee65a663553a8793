package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// ErrUnknown: there is no such key.
var ErrUnknown = errors.New("no such key")

// Maintain does what time asks for: it makes missing keys, replaces old ones ([Config.RotateAfter]), destroys private
// parts that sign no more, removes what is gone, and takes in what others changed. Call it about once a minute; a state
// that a row reaches in between counts from the next call.
func (r *Ring) Maintain(ctx context.Context, at time.Time) error {
	return r.edit(ctx, at, func(e *edit) error {
		if err := e.makeMissing(); err != nil {
			return err
		}
		for _, k := range e.latest() {
			e.supersede(k) // a clock that was set back and forth can leave two active
			due := k.row.Active.Add(r.cfg.RotateAfter)
			// The successor is published before its time, so that it takes over at this age.
			if r.cfg.RotateAfter <= 0 || e.at.Before(due.Add(-r.cfg.Pending)) || !e.replaceable(k) {
				continue
			}
			if err := e.replace(k, later(due, e.at.Add(r.cfg.Pending)), "age"); err != nil {
				return err
			}
		}
		e.tidy()
		return nil
	})
}

// Run maintains until ctx ends. It tells of failures by report, and tries again in a minute.
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
// had time to see them ([Config.Pending]); atOnce, they sign immediately, and a relying party has to fetch the JWKS when it
// meets an unknown kid. Keys that are pending already are taken, not made anew. Everything that the old ones signed or
// sealed stays valid. by is who asks, for the audit trail.
func (r *Ring) Rotate(ctx context.Context, at time.Time, atOnce bool, by string) error {
	return r.edit(ctx, at, func(e *edit) error {
		e.by = by
		active := e.at.Add(r.cfg.Pending)
		if atOnce {
			active = e.at
		}
		for _, k := range e.latest() {
			if StateOf(k.row, e.at) == Pending {
				if atOnce {
					e.promote(k)
				}
				continue
			}
			if !e.replaceable(k) {
				continue
			}
			if err := e.replace(k, active, "command"); err != nil {
				return err
			}
		}
		return nil
	})
}

// Revoke takes one key away at once, because it may be known to somebody else: nothing that it signed, sealed or derived
// counts any longer. A successor signs in its place where there is none. The pairwise key cannot be revoked: all
// subjects would change. ErrUnknown.
func (r *Ring) Revoke(ctx context.Context, at time.Time, id, by string) error {
	return r.edit(ctx, at, func(e *edit) error {
		e.by = by
		i := slices.IndexFunc(e.keys, func(k *key) bool { return k.row.ID == id })
		if i < 0 {
			return fmt.Errorf("revoke key %q: %w", id, ErrUnknown)
		}
		k := e.keys[i]
		if k.row.Use == UsePairwise {
			return errors.New("revoke key: every pairwise subject would change")
		}
		was := StateOf(k.row, e.at)
		k.row.Gone = e.at
		e.note("key.revoked", k.row, nil)
		e.tidy()
		for _, other := range e.keys {
			row := &other.row
			switch {
			case row.Use != k.row.Use || row.Alg != k.row.Alg:
			case was == Active && StateOf(*row, e.at) == Pending:
				e.promote(other)
			case was == Pending && row.Retired.After(e.at): // it was to make way for the revoked one
				row.Retired, row.Archived, row.Gone = time.Time{}, time.Time{}, time.Time{}
				e.put = append(e.put, row.ID)
			}
		}
		return e.makeMissing()
	})
}

// edit is a change of the keys, stored in one transaction.
type edit struct {
	ring   *Ring
	at     time.Time
	by     string
	keys   []*key
	put    []string // ids
	remove []string
	events []storage.Event
}

// edit reads the rows, lets change do its work on them, stores the outcome, and puts it in use. If storing fails nothing
// is put in use: what the store then holds is read the next time.
func (r *Ring) edit(ctx context.Context, at time.Time, change func(*edit) error) error {
	r.change.Lock()
	defer r.change.Unlock()
	keys, err := r.read(ctx)
	if err != nil {
		return err
	}
	e := &edit{ring: r, at: at.UTC().Truncate(time.Millisecond), keys: keys}
	if err := change(e); err != nil {
		return err
	}
	var put []storage.Key
	for _, k := range e.keys {
		if slices.Contains(e.put, k.row.ID) {
			put = append(put, k.row)
		}
	}
	if len(put)+len(e.remove) > 0 {
		if err := r.cfg.Store.PutKeys(ctx, put, e.remove, e.events...); err != nil {
			return fmt.Errorf("store keys: %w", err)
		}
	}
	s, err := take(e.keys, r.cfg.Algorithms, e.at)
	if err != nil {
		return fmt.Errorf("encode JWKS: %w", err)
	}
	r.current.Store(s)
	return nil
}

// makeMissing makes every key without which something would not work. It is active at once: nobody has known another.
func (e *edit) makeMissing() error {
	need := [][2]string{{UseSeal, ""}, {UseRefresh, ""}, {UsePairwise, ""}}
	for _, alg := range e.ring.cfg.Algorithms {
		need = append(need, [2]string{UseSign, alg})
	}
	for _, n := range need {
		if slices.ContainsFunc(e.keys, func(k *key) bool {
			return k.row.Use == n[0] && k.row.Alg == n[1] && StateOf(k.row, e.at) == Active
		}) {
			continue
		}
		if _, err := e.create(n[0], n[1], e.at, "missing"); err != nil {
			return err
		}
	}
	return nil
}

// latest is the key of each kind that nothing follows yet, as far as the kind is replaced in time.
func (e *edit) latest() []*key {
	last := map[[2]string]*key{}
	for _, k := range e.keys {
		kind := [2]string{k.row.Use, k.row.Alg}
		if (k.row.Use == UseSign || k.row.Use == UseSeal) && k.row.Retired.IsZero() && newer(k, last[kind]) {
			last[kind] = k
		}
	}
	var all []*key
	for _, k := range e.keys {
		if last[[2]string{k.row.Use, k.row.Alg}] == k {
			all = append(all, k)
		}
	}
	return all
}

// replaceable: a key that signs, for an algorithm that is still offered.
func (e *edit) replaceable(k *key) bool {
	return StateOf(k.row, e.at) == Active && (k.row.Use != UseSign || slices.Contains(e.ring.cfg.Algorithms, k.row.Alg))
}

func (e *edit) replace(old *key, active time.Time, why string) error {
	next, err := e.create(old.row.Use, old.row.Alg, active, why)
	if err != nil {
		return err
	}
	e.supersede(next)
	return nil
}

// promote makes a pending key sign at once.
func (e *edit) promote(k *key) {
	k.row.Active = e.at
	e.put = append(e.put, k.row.ID)
	e.note("key.activated", k.row, nil)
	e.supersede(k)
}

// supersede dates the end of all that came before next.
func (e *edit) supersede(next *key) {
	for _, k := range e.keys {
		row := &k.row
		if k == next || row.Use != next.row.Use || row.Alg != next.row.Alg || !row.Retired.IsZero() && !row.Retired.After(next.row.Active) {
			continue
		}
		row.Retired = next.row.Active
		if row.Use == UseSign {
			row.Archived = row.Retired.Add(e.ring.cfg.TokenLife)
			row.Gone = row.Archived.Add(e.ring.cfg.HintLife)
		} else {
			row.Gone = row.Retired.Add(sealedLife)
		}
		e.put = append(e.put, row.ID)
	}
}

func (e *edit) create(use, alg string, active time.Time, why string) (*key, error) {
	k, err := newKey(e.ring.wrapper, use, alg, e.ring.cfg.RSABits, e.at)
	if err != nil {
		return nil, fmt.Errorf("make %s key: %w", use, err)
	}
	k.row.Active = active.UTC().Truncate(time.Millisecond)
	e.keys = append(e.keys, k)
	e.put = append(e.put, k.row.ID)
	e.note("key.created", k.row, map[string]string{"why": why, "active": k.row.Active.Format(time.RFC3339)})
	return k, nil
}

// tidy destroys private parts that sign no more and drops what is gone.
func (e *edit) tidy() {
	e.keys = slices.DeleteFunc(e.keys, func(k *key) bool {
		state := StateOf(k.row, e.at)
		if state == Gone {
			e.remove = append(e.remove, k.row.ID)
			return true
		}
		if k.private != nil && (state == Retired || state == Archived) {
			k.row, k.private, k.signers = k.destroyed(e.ring.wrapper), nil, nil
			e.put = append(e.put, k.row.ID)
			e.note("key.destroyed", k.row, nil)
		}
		return false
	})
}

func (e *edit) note(kind string, row storage.Key, detail map[string]string) {
	if detail == nil {
		detail = map[string]string{}
	}
	detail["key"], detail["use"] = row.ID, row.Use
	if row.Alg != "" {
		detail["alg"] = row.Alg
	}
	e.events = append(e.events, storage.Event{At: e.at, Kind: kind, By: e.by, Detail: detail})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
