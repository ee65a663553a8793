package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// PutToken implements storage.Tokens.
func (s *Store) PutToken(ctx context.Context, token storage.Token) error {
	return s.update(ctx, func(t *tx) error {
		t.lockGates(gateOf(token.Client))
		if !t.clientFacts(token.Client).acceptsToken(t, token.Sequence) {
			return fmt.Errorf("put token: %w", storage.ErrRevoked)
		}
		t.putToken(token)
		t.noteUse(token.Client, truncate(token.Issued))
		return nil
	})
}

// Token implements storage.Tokens.
func (s *Store) Token(
	ctx context.Context,
	hash storage.Hash,
	at time.Time,
) (token storage.Token, g storage.Grant, err error) {
	type tokenAndGrant struct {
		token storage.Token
		grant storage.Grant
	}
	result, err := read(ctx, s, func(t *tx) (tokenAndGrant, error) {
		var value, swept []byte
		var scanned grantScan
		client := &clientFacts{}
		t.queryRow(
			`SELECT t.record, `+clientColumns(`t.client`)+`, state.swept, `+grantColumns+`
			FROM @tokens t CROSS JOIN @state state
			LEFT JOIN @grants g ON g.id = t.grant_id`+grantJoins(`t.sid`)+`
			WHERE t.hash = $1`,
			[]any{hash[:]},
			slices.Concat([]any{&value}, client.targets(), []any{&swept}, scanned.targets())...,
		)
		t.state.swept = decode[storage.SweepHistory](t, swept) // acceptsToken needs it
		token := decode[storage.Token](t, value)
		grant := scanned.decodeFacts(t)
		var active bool
		if token.Grant == "" {
			active = client.acceptsToken(t, token.Sequence)
		} else {
			active = client.enabled && grant.activeFor(token.SID, at)
		}
		exists := value != nil
		if !exists || !at.Before(token.Expires) || !active {
			return tokenAndGrant{}, fmt.Errorf("find token: %w", storage.ErrNotFound)
		}
		return tokenAndGrant{token, grant.grant}, nil
	})
	return result.token, result.grant, err
}

// ClientCredentialsTokenActive implements storage.Tokens.
func (s *Store) ClientCredentialsTokenActive(ctx context.Context, client string, issued storage.Sequence) error {
	_, err := read(ctx, s, func(t *tx) (struct{}, error) {
		var swept []byte
		facts := &clientFacts{}
		t.queryRow(
			`SELECT `+clientColumns(`$1`)+`, swept FROM @state`,
			[]any{client},
			append(facts.targets(), &swept)...,
		)
		t.state.swept = decode[storage.SweepHistory](t, swept)
		if !facts.acceptsToken(t, issued) {
			return struct{}{}, fmt.Errorf("find client of a token: %w", storage.ErrNotFound)
		}
		return struct{}{}, nil
	})
	return err
}

// DeleteToken implements storage.Tokens.
func (s *Store) DeleteToken(ctx context.Context, hash storage.Hash) error {
	return s.update(ctx, func(t *tx) error {
		t.exec(`DELETE FROM @tokens WHERE hash = $1`, hash[:])
		return nil
	})
}

// clientFacts has the records on which it depends whether a client_credentials token is active.
type clientFacts struct {
	enabled  bool
	sequence int64    // of the transaction that created the client
	cutoffs  [][]byte // the encoded cutoffs of the client
}

// clientColumns returns the columns of clientFacts. client is the SQL expression for the id of the client.
func clientColumns(client string) string {
	return `EXISTS (SELECT FROM @clients WHERE id = ` + client + ` AND enabled),
		coalesce((SELECT sequence FROM @clients WHERE id = ` + client + `), 0),
		ARRAY(SELECT k.record FROM @cutoffs k WHERE k.session = '' AND k.subject = '' AND k.client = ` + client + `)`
}

func (c *clientFacts) targets() []any { return []any{&c.enabled, &c.sequence, &c.cutoffs} }

// clientFacts reads the clientFacts of a client, and then the row of state.
func (t *tx) clientFacts(client string) *clientFacts {
	facts := &clientFacts{}
	t.queryRowThenState(`SELECT `+clientColumns(`$1`), []any{client}, facts.targets()...)
	return facts
}

// acceptsToken reports whether a client_credentials token that was issued at that sequence is active: the client is
// enabled, the token was not issued to an earlier client with the same id, and no cutoff of the client has revoked it.
func (c *clientFacts) acceptsToken(t *tx, issued storage.Sequence) bool {
	return c.enabled &&
		issued >= storage.Sequence(c.sequence) &&
		issued >= t.state.swept.ClientCutoff && // the cutoffs that Sweep has removed
		!isCutOff(t, c.cutoffs, "", issued)
}

// putToken stores a token.
func (t *tx) putToken(token storage.Token) {
	truncateAll(&token.Issued, &token.Expires)
	t.exec(
		`INSERT INTO @tokens (hash, grant_id, sid, client, expires, record) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (hash) DO UPDATE SET grant_id = EXCLUDED.grant_id, sid = EXCLUDED.sid, client = EXCLUDED.client,
			expires = EXCLUDED.expires, record = EXCLUDED.record`,
		token.Hash[:], token.Grant, token.SID, token.Client, millis(token.Expires), t.encode(token),
	)
}

// MarkUsed implements storage.ReplayCache.
func (s *Store) MarkUsed(ctx context.Context, id string, issued, expires, at time.Time) error {
	return s.update(ctx, func(t *tx) error {
		t.wrote = true // the query below inserts
		var marked bool
		// The state is read after the insertion. If a sweep removed the record of an earlier use before the insertion,
		// the sweep history in the state shows it.
		t.queryRowThenState(
			`WITH marked AS (
				INSERT INTO @used_ids AS u (id, expires) VALUES ($1, $2)
				ON CONFLICT (id) DO UPDATE SET expires = EXCLUDED.expires WHERE u.expires <= $3 RETURNING id
			) SELECT EXISTS (SELECT FROM marked)`,
			[]any{usedIDKey(id), millis(truncate(expires)), millis(at)}, &marked,
		)
		if !marked || t.state.swept.ForgotUse(issued, expires) {
			return fmt.Errorf("mark used: %w", storage.ErrAlreadyUsed)
		}
		return nil
	})
}

// WasUsed implements storage.ReplayCache.
func (s *Store) WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error) {
	return read(ctx, s, func(t *tx) (bool, error) {
		var used bool
		var swept []byte
		t.queryRow(
			`SELECT EXISTS (SELECT FROM @used_ids WHERE id = $1 AND expires > $2), swept FROM @state`,
			[]any{usedIDKey(id), millis(at)}, &used, &swept,
		)
		return used || decode[storage.SweepHistory](t, swept).ForgotUse(issued, expires), nil
	})
}

// usedIDKey returns the key of a used id: its hash, because other parties choose ids and their length.
func usedIDKey(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// queryRowThenState sends a query as queryRow does, and then reads the state, in the same round trip.
func (t *tx) queryRowThenState(sql string, args []any, into ...any) {
	t.queueQuery(sql, args, func(rows pgx.Rows) error { return rows.Scan(into...) })
	t.readState()
	t.flush()
}
