package storage

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"
)

// Key is a signing, sealing or derivation key. Its times say in which state it is.
type Key struct {
	ID          string          `json:"id"`                // of a signing key: its RFC 7638 thumbprint, the kid
	Use         string          `json:"use"`               // sig, seal, refresh, pairwise …
	Alg         string          `json:"alg,omitempty"`     // of a signing key
	Public      json.RawMessage `json:"public,omitempty"`  // JWK
	Wrapped     []byte          `json:"wrapped,omitempty"` // the private key, wrapped; empty after it was destroyed
	Created     time.Time       `json:"created"`
	ActiveAt    time.Time       `json:"active_at,omitzero"`    // it signs from this time on; before, it is pending
	RetiredAt   time.Time       `json:"retired_at,omitzero"`   // it no longer signs; it is still published
	ArchivedAt  time.Time       `json:"archived_at,omitzero"`  // it is not published; it still verifies ID token hints
	RemovableAt time.Time       `json:"removable_at,omitzero"` // it no longer verifies anything and may be removed
}

// Keys stores keys.
type Keys interface {
	// ListKeys lists all keys, oldest first.
	ListKeys(ctx context.Context) ([]Key, error)
	// PutKeys stores the keys put, new or changed, removes those with the ids in remove, and adds the audit lines, in
	// one transaction. read is the result of an earlier ListKeys. ErrChanged if the store no longer has exactly these
	// keys, because another process has changed them.
	PutKeys(ctx context.Context, read, put []Key, remove []string, e ...Event) error
}

// SameKeys reports whether two results of ListKeys are the same.
func SameKeys(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(x, y Key) bool { return reflect.DeepEqual(x, y) })
}
