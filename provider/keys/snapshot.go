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
	keys     []*key          // oldest first
	signing  map[string]*key // active, by algorithm
	verify   map[string]*key // by kid: all that are not gone
	archived map[string]bool // by kid: those no longer published
	seals    []*key          // the one that seals first
	derive   map[string]*key // active, by use
	jwks     []byte
	etag     string
}

// read lists the rows and makes them ready, without parsing anew what is in memory already.
func (r *Ring) read(ctx context.Context) ([]*key, error) {
	rows, err := r.cfg.Store.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	known := map[string]*key{}
	if s := r.current.Load(); s != nil {
		for _, k := range s.keys {
			known[k.row.ID] = k
		}
	}
	var all []*key
	var errs []error
	for _, row := range rows {
		if k := known[row.ID]; k != nil && k.sameSecret(row) {
			again := *k
			again.row = row
			all = append(all, &again)
			continue
		}
		k, err := parse(r.wrapper, row)
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s (%s): %w", row.ID, row.Use, err))
			continue
		}
		all = append(all, k)
	}
	return all, errors.Join(errs...)
}

// take makes what is used at the moment at. Who takes the first published key takes one that signs, with the first of
// algorithms.
func take(keys []*key, algorithms []string, at time.Time) (*snapshot, error) {
	slices.SortFunc(keys, func(a, b *key) int {
		return cmp.Or(
			cmp.Compare(slices.Index(algorithms, a.row.Alg), slices.Index(algorithms, b.row.Alg)),
			a.row.Created.Compare(b.row.Created),
			cmp.Compare(a.row.ID, b.row.ID),
		)
	})
	s := &snapshot{keys: keys, signing: map[string]*key{}, verify: map[string]*key{}, archived: map[string]bool{}, derive: map[string]*key{}}
	var published [3][]jose.JSONWebKey // active, pending, retired
	for _, k := range keys {
		state := StateOf(k.row, at)
		if state == Gone {
			continue
		}
		switch k.row.Use {
		case UseSign:
			s.verify[k.row.ID] = k
			switch state {
			case Active:
				if newer(k, s.signing[k.row.Alg]) && k.private != nil {
					s.signing[k.row.Alg] = k
				}
				published[0] = append(published[0], k.public)
			case Pending:
				published[1] = append(published[1], k.public)
			case Retired:
				published[2] = append(published[2], k.public)
			case Archived:
				s.archived[k.row.ID] = true
			}
		case UseSeal:
			s.seals = append(s.seals, k)
		default:
			if state == Active && newer(k, s.derive[k.row.Use]) {
				s.derive[k.row.Use] = k
			}
		}
	}
	// The newest active key seals; all others only open.
	slices.SortStableFunc(s.seals, func(a, b *key) int {
		return cmp.Or(cmp.Compare(sealRank(a, at), sealRank(b, at)), b.row.Active.Compare(a.row.Active))
	})
	var err error
	s.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: slices.Concat(published[0], published[1], published[2])})
	s.etag = `"` + storage.HashOf(string(s.jwks)).String()[:22] + `"`
	return s, err
}

func newer(k, than *key) bool { return than == nil || !k.row.Active.Before(than.row.Active) }

func sealRank(k *key, at time.Time) int {
	if StateOf(k.row, at) == Active {
		return 0
	}
	return 1
}
