package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// Sequence implements storage.Order. It costs a round trip, because another replica may have increased the sequence.
func (s *Store) Sequence(ctx context.Context) (storage.Sequence, error) {
	return read(ctx, s, func(t *tx) (storage.Sequence, error) {
		var sequence int64
		t.queryRow(`SELECT sequence FROM @state`, nil, &sequence)
		return storage.Sequence(sequence), nil
	})
}

// cutoffsColumn is the SQL expression for the cutoffs of scopes. Its parameters are the results of scopeLists.
const cutoffsColumn = `ARRAY(
	SELECT k.record FROM @cutoffs k
	JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (session, subject, client)
	ON k.session = w.session AND k.subject = w.subject AND k.client = w.client)`

// scopeLists returns the scopes as three lists, the parameters of cutoffsColumn.
func scopeLists(scopes []storage.CutoffScope) (sessions, subjects, clients []string) {
	for _, scope := range scopes {
		sessions = append(sessions, string(scope.Session))
		subjects = append(subjects, scope.Subject)
		clients = append(clients, scope.Client)
	}
	return sessions, subjects, clients
}

// isCutOff reports whether one of the cutoffs, which cutoffsColumn found, revokes what was issued at that sequence.
func isCutOff(t *tx, values [][]byte, session storage.SessionID, issued storage.Sequence) bool {
	return slices.ContainsFunc(decodeAll[[]storage.Cutoff](t, values), func(list []storage.Cutoff) bool {
		return storage.IsCutOff(list, session, issued)
	})
}

// cutOff reports whether a cutoff of one of the scopes keeps out a sign-in that began at that sequence.
func (t *tx) cutOff(scopes []storage.CutoffScope, issued storage.Sequence) bool {
	if len(scopes) == 0 {
		return false
	}
	sessions, subjects, clients := scopeLists(scopes)
	var cutoffs [][]byte
	t.queryRow(`SELECT `+cutoffsColumn, []any{sessions, subjects, clients}, &cutoffs)
	return isCutOff(t, cutoffs, "", issued)
}

// putCutoff adds a cutoff to a scope. The transaction has locked the gates of the scope.
func (t *tx) putCutoff(scope storage.CutoffScope, c storage.Cutoff) {
	var value []byte
	t.queryRow(
		`SELECT record FROM @cutoffs WHERE session = $1 AND subject = $2 AND client = $3 FOR UPDATE`,
		[]any{string(scope.Session), scope.Subject, scope.Client}, &value,
	)
	c.ExpiresAt = truncate(c.ExpiresAt)
	t.putCutoffs(scope, storage.AddCutoff(decode[[]storage.Cutoff](t, value), c))
}

// putCutoffs stores all cutoffs of a scope.
func (t *tx) putCutoffs(scope storage.CutoffScope, list []storage.Cutoff) {
	earliest := slices.MinFunc(list, func(a, b storage.Cutoff) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	t.exec(
		`INSERT INTO @cutoffs (session, subject, client, expires, record) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (session, subject, client) DO UPDATE SET expires = EXCLUDED.expires, record = EXCLUDED.record`,
		string(scope.Session), scope.Subject, scope.Client, millis(earliest.ExpiresAt), t.encode(list),
	)
}

// sweepCutoffs removes the expired cutoffs of at most limit scopes. It returns the number of scopes that had expired
// cutoffs.
func (t *tx) sweepCutoffs(limit int, at time.Time) int {
	kept := map[storage.CutoffScope][]storage.Cutoff{}
	t.query(
		`SELECT session, subject, client, record FROM @cutoffs WHERE expires <= $1
		ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED`,
		[]any{millis(at), limit},
		func(rows pgx.Rows) error {
			var scope storage.CutoffScope
			var value []byte
			err := rows.Scan((*string)(&scope.Session), &scope.Subject, &scope.Client, &value)
			rest, expired := storage.ExpireCutoffs(decode[[]storage.Cutoff](t, value), at)
			kept[scope] = rest
			t.state.swept = t.state.swept.AddCutoffs(scope, expired)
			return err
		},
	)
	for scope, rest := range kept {
		if len(rest) > 0 {
			t.putCutoffs(scope, rest)
			continue
		}
		t.exec(
			`DELETE FROM @cutoffs WHERE session = $1 AND subject = $2 AND client = $3`,
			string(scope.Session), scope.Subject, scope.Client,
		)
	}
	if len(kept) > 0 {
		t.stateChanged = true
	}
	return len(kept)
}
