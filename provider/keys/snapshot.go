package keys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
)

// snapshot is all keys at a moment. It never changes: a new one takes its place.
type snapshot struct {
	keys             []*key          // oldest first
	signingKeys      map[string]*key // active, by algorithm
	verificationKeys map[string]*key // by kid: all that are not gone
	archived         map[string]bool // by kid: those no longer published
	sealingKeys      []*key          // the one that seals first
	derivationKeys   map[string]*key // active, by use
	jwks             []byte
	etag             string
}

// readKeys lists the rows and makes them ready, without parsing anew what is in memory already.
func (r *Ring) readKeys(ctx context.Context) ([]*key, error) {
	records, err := r.cfg.Store.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	known := map[string]*key{}
	if s := r.current.Load(); s != nil {
		for _, k := range s.keys {
			known[k.record.ID] = k
		}
	}
	var all []*key
	var errs []error
	for _, record := range records {
		if k := known[record.ID]; k != nil && k.sameRecord(record) {
			updated := *k
			updated.record = record
			all = append(all, &updated)
			continue
		}
		k, err := unwrapAndParse(r.wrapper, record)
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s (%s): %w", record.ID, record.Use, err))
			continue
		}
		all = append(all, k)
	}
	return all, errors.Join(errs...)
}

// newSnapshot makes what is used at the moment at. Who takes the first published key takes one that signs, with the
// first of algorithms.
func newSnapshot(keys []*key, algorithms []string, at time.Time) (*snapshot, error) {
	slices.SortFunc(keys, func(a, b *key) int {
		return cmp.Or(
			cmp.Compare(slices.Index(algorithms, a.record.Alg), slices.Index(algorithms, b.record.Alg)),
			a.record.Created.Compare(b.record.Created),
			cmp.Compare(a.record.ID, b.record.ID),
		)
	})
	s := &snapshot{
		keys:             keys,
		signingKeys:      map[string]*key{},
		verificationKeys: map[string]*key{},
		archived:         map[string]bool{},
		derivationKeys:   map[string]*key{},
	}
	var published [3][]jose.JSONWebKey // active, pending, retired
	for _, k := range keys {
		state := StateOf(k.record, at)
		if state == Removable {
			continue
		}
		switch k.record.Use {
		case UseSign:
			s.verificationKeys[k.record.ID] = k
			switch state {
			case Active:
				if isNewer(k, s.signingKeys[k.record.Alg]) && k.private != nil {
					s.signingKeys[k.record.Alg] = k
				}
				published[0] = append(published[0], k.public)
			case Pending:
				published[1] = append(published[1], k.public)
			case Retired:
				published[2] = append(published[2], k.public)
			case Archived:
				s.archived[k.record.ID] = true
			}
		case UseSeal:
			s.sealingKeys = append(s.sealingKeys, k)
		default:
			if state == Active && isNewer(k, s.derivationKeys[k.record.Use]) {
				s.derivationKeys[k.record.Use] = k
			}
		}
	}
	// The newest active key seals; all others only open.
	slices.SortStableFunc(s.sealingKeys, func(a, b *key) int {
		return cmp.Or(cmp.Compare(sealingRank(a, at), sealingRank(b, at)), b.record.ActiveAt.Compare(a.record.ActiveAt))
	})
	var err error
	s.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: slices.Concat(published[0], published[1], published[2])})
	s.etag = `"` + storage.HashOf(string(s.jwks)).String()[:22] + `"`
	return s, err
}

func isNewer(k, other *key) bool {
	return other == nil || !k.record.ActiveAt.Before(other.record.ActiveAt)
}

func sealingRank(k *key, at time.Time) int {
	if StateOf(k.record, at) == Active {
		return 0
	}
	return 1
}
