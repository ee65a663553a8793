package keys

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/curfew-id/curfew/storage"
)

// snapshot has all keys with their states at one time. A snapshot never changes; the ring replaces it by a new one.
type snapshot struct {
	keys             []*key          // by algorithm, the oldest first
	signingKeys      map[string]*key // the active keys, by algorithm
	verificationKeys map[string]*key // all signing keys, except those in the state Removable, by kid
	archived         map[string]bool // the kids of verification keys that are not published
	sealingKeys      []*key          // the first one seals, all can open
	derivationKeys   map[string]*key // the active keys, by use
	jwks             []byte
	etag             string
}

// parseKeys parses all records of keys, except those that are in the current snapshot.
func (r *Ring) parseKeys(records []storage.Key) ([]*key, error) {
	known := map[string]*key{}
	if s := r.current.Load(); s != nil {
		for _, k := range s.keys {
			known[k.record.ID] = k
		}
	}
	var all []*key
	var errs []error
	for _, record := range records {
		if k := known[record.ID]; k != nil && k.sameKey(record) {
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

// newSnapshot returns the snapshot of keys at a time. The JWKS begins with the active key for algorithms[0], because
// some relying parties use the first key without comparing the kid.
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
	var activeJWKs, pendingJWKs, retiredJWKs []jose.JSONWebKey
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
				canSign := k.private != nil // false after the private part was destroyed
				if canSign && activeNoEarlier(k, s.signingKeys[k.record.Alg]) {
					s.signingKeys[k.record.Alg] = k
				}
				activeJWKs = append(activeJWKs, k.public)
			case Pending:
				pendingJWKs = append(pendingJWKs, k.public)
			case Retired:
				retiredJWKs = append(retiredJWKs, k.public)
			case Archived:
				s.archived[k.record.ID] = true
			}
		case UseSeal:
			s.sealingKeys = append(s.sealingKeys, k)
		default: // the uses that derive values, such as UseRefresh
			if state == Active && activeNoEarlier(k, s.derivationKeys[k.record.Use]) {
				s.derivationKeys[k.record.Use] = k
			}
		}
	}
	// The newest active key seals; all others only open.
	slices.SortStableFunc(s.sealingKeys, func(a, b *key) int {
		return cmp.Or(
			cmp.Compare(sealingRank(a, at), sealingRank(b, at)),
			b.record.ActiveAt.Compare(a.record.ActiveAt),
		)
	})
	var err error
	s.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: slices.Concat(activeJWKs, pendingJWKs, retiredJWKs)})
	s.etag = `"` + storage.HashOf(string(s.jwks)).String()[:etagLength] + `"`
	return s, err
}

// etagLength is how many characters of the hash of the JWKS are in its entity tag.
const etagLength = 22

// activeNoEarlier reports whether k became active after other or at the same time, or other is nil.
func activeNoEarlier(k, other *key) bool {
	return other == nil || !k.record.ActiveAt.Before(other.record.ActiveAt)
}

func sealingRank(k *key, at time.Time) int {
	if StateOf(k.record, at) == Active {
		return 0
	}
	return 1
}
