package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Sequence implements storage.Order. The sequence in the cache is durable, because the committer replaces the cache
// only after the sync.
func (s *Store) Sequence(ctx context.Context) (storage.Sequence, error) {
	if err := ctx.Err(); err != nil {
		return 0, unavailable(err)
	}
	return s.cache.Load().sequence, nil
}

// sequence returns the sequence of the records that this transaction creates.
func (t *tx) sequence() storage.Sequence { return storage.Sequence(t.bucket(cutoffs).Sequence()) }

// nextSequence raises the sequence and returns it. All records that were created so far, also by earlier jobs in the
// same bbolt transaction, have a lower one.
func (t *tx) nextSequence() storage.Sequence {
	t.wrote = true
	n, err := t.bucket(cutoffs).NextSequence()
	if err != nil {
		t.fail(fmt.Errorf("raise the sequence: %w", err))
	}
	t.changeCache().sequence = storage.Sequence(n)
	return storage.Sequence(n)
}

// cutoffKey returns the key of the cutoffs of a scope.
func cutoffKey(scope storage.CutoffScope) []byte {
	return joinKey(string(scope.Session), scope.Subject, scope.Client)
}

// parseCutoffKey reads a scope from its key.
func parseCutoffKey(key []byte) storage.CutoffScope {
	parts := bytes.SplitN(key, []byte{0}, 3)
	return storage.CutoffScope{
		Session: storage.SessionID(parts[0]),
		Subject: string(parts[1]),
		Client:  string(parts[2]),
	}
}

// putCutoff adds a cutoff to a scope.
func (t *tx) putCutoff(scope storage.CutoffScope, c storage.Cutoff) {
	key := cutoffKey(scope)
	list, _ := load[[]storage.Cutoff](t, cutoffs, key)
	t.store(cutoffs, key, storage.AddCutoff(list, c))
	t.scheduleExpiry(c.ExpiresAt, expiryCutoff, key)
}

// cutOff reports whether a cutoff of one of the scopes invalidates a code, sign-in or token that was issued at that
// sequence in a session. See storage.IsCutOff.
func (t *tx) cutOff(scopes []storage.CutoffScope, session storage.SessionID, issued storage.Sequence) bool {
	return slices.ContainsFunc(scopes, func(scope storage.CutoffScope) bool {
		list, _ := load[[]storage.Cutoff](t, cutoffs, cutoffKey(scope))
		return storage.IsCutOff(list, session, issued)
	})
}

// newSessionRevoked reports whether a session may not be created, because a termination came after its sign-in began.
func (t *tx) newSessionRevoked(session storage.Session) bool {
	return session.Sequence < t.cache.sweepHistory.Cutoff || t.cutOff(session.CutoffScopes(), "", session.Sequence)
}

// clientTokenRevoked reports whether a client_credentials token was revoked, or was issued to an earlier client with
// the same id.
func (t *tx) clientTokenRevoked(client *storage.Client, issued storage.Sequence) bool {
	if issued < client.Sequence || issued < t.cache.sweepHistory.ClientCutoff {
		return true
	}
	return t.cutOff([]storage.CutoffScope{{Client: client.ClientID}}, "", issued)
}

// sweepCutoffs removes the cutoffs of a scope that have expired.
func (t *tx) sweepCutoffs(key []byte, at time.Time) {
	list, ok := load[[]storage.Cutoff](t, cutoffs, key)
	if !ok {
		return
	}
	kept, expired := storage.ExpireCutoffs(list, at)
	if len(expired) == 0 {
		return
	}
	if len(kept) == 0 {
		t.delete(cutoffs, key)
	} else {
		t.store(cutoffs, key, kept)
	}
	t.setSweepHistory(t.cache.sweepHistory.AddCutoffs(parseCutoffKey(key), expired))
}

var sweepHistoryKey = []byte("swept")

// setSweepHistory stores the sweep history, also in the cache.
func (t *tx) setSweepHistory(h storage.SweepHistory) {
	t.store(meta, sweepHistoryKey, h)
	t.changeCache().sweepHistory = h
}
