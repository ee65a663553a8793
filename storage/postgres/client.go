package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// ClientCacheAge is the maximum age of a client that Client returns. A change by another replica takes effect here
// after this time at the latest. Disabling and removal take effect at once for codes and tokens, because each use of a
// code or token checks the client in the database.
const ClientCacheAge = time.Second

// maxCachedClients limits the cache, because anyone may register dynamic clients.
const maxCachedClients = 4096

// clientCache contains the clients that were read within the last ClientCacheAge, and some older ones.
type clientCache struct {
	mu      sync.Mutex
	entries map[string]cachedClient
}

type cachedClient struct {
	client *storage.Client
	age    storage.Stopwatch // started before the client was read
}

// get finds a client that was read within the last ClientCacheAge.
func (c *clientCache) get(id string) *storage.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry, ok := c.entries[id]; ok && entry.age.Elapsed() < ClientCacheAge {
		return entry.client
	}
	return nil
}

// put stores a client. age was started before the client was read. If the cache is full, put removes some other client.
func (c *clientCache) put(client *storage.Client, age storage.Stopwatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[string]cachedClient{}
	}
	for other := range c.entries {
		if len(c.entries) < maxCachedClients {
			break
		}
		delete(c.entries, other)
	}
	c.entries[client.ClientID] = cachedClient{client: client, age: age}
}

// forget removes a client from the cache.
func (c *clientCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
}

// Client implements storage.Clients.
func (s *Store) Client(ctx context.Context, id string) (*storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	if c := s.clients.get(id); c != nil {
		return c, nil
	}
	age := storage.StartStopwatch()
	c, err := read(ctx, s, func(t *tx) (*storage.Client, error) {
		if c := t.client(id); c != nil {
			return c, nil
		}
		return nil, fmt.Errorf("find client: %w", storage.ErrNotFound)
	})
	switch {
	case err == nil:
		s.clients.put(c, age)
	case errors.Is(err, storage.ErrNotFound):
		s.clients.forget(id)
	}
	return c, err
}

// PutClient implements storage.Clients.
func (s *Store) PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error {
	return s.update(ctx, func(t *tx) error {
		old, err := t.checkClient(c)
		if err != nil {
			return fmt.Errorf("put client: %w", err)
		}
		t.putClient(c, old)
		t.appendEvents(e)
		return nil
	})
}

// RegisterClient implements storage.Clients.
func (s *Store) RegisterClient(
	ctx context.Context,
	c storage.Client,
	token storage.Hash,
	at time.Time,
	e ...storage.Event,
) error {
	return s.update(ctx, func(t *tx) error {
		c.Revision = 0
		if !token.IsZero() {
			initial, ok := t.lockInitialAccessToken(token, at)
			if !ok {
				return fmt.Errorf("register client: initial access token: %w", storage.ErrRevoked)
			}
			if initial.UsesLeft > 0 {
				initial.UsesLeft--
				t.putInitialAccessToken(initial)
			}
		}
		old, err := t.checkClient(c)
		if err != nil {
			return fmt.Errorf("register client: %w", err)
		}
		t.putClient(c, old)
		t.appendEvents(e)
		return nil
	})
}

// ListClients implements storage.Clients.
func (s *Store) ListClients(ctx context.Context, p storage.Page) ([]*storage.Client, string, error) {
	return list(ctx, s, p, func(t *tx, after string, limit int) (chunk []item[*storage.Client]) {
		t.query(
			`SELECT id, record FROM @clients WHERE id > $1 ORDER BY id LIMIT $2`,
			[]any{after, limit},
			func(rows pgx.Rows) error {
				var value []byte
				next := item[*storage.Client]{picked: true}
				err := rows.Scan(&next.key, &value)
				c := decode[storage.Client](t, value)
				next.record = &c
				chunk = append(chunk, next)
				return err
			},
		)
		return chunk
	})
}

// client finds a client. It returns nil if there is none.
func (t *tx) client(id string) *storage.Client {
	var value []byte
	if !t.queryRow(`SELECT record FROM @clients WHERE id = $1`, []any{id}, &value) {
		return nil
	}
	c := decode[storage.Client](t, value)
	return &c
}

// checkClient returns an error if c must not be stored. It locks and returns the stored client with the id of c.
func (t *tx) checkClient(c storage.Client) (old *storage.Client, err error) {
	if c.ClientID == "" || strings.ContainsRune(c.ClientID, 0) {
		return nil, errors.New("a client needs an id without NUL")
	}
	t.queueQuery(`SELECT record FROM @clients WHERE id = $1 FOR UPDATE`, []any{c.ClientID}, func(rows pgx.Rows) error {
		var value []byte
		err := rows.Scan(&value)
		stored := decode[storage.Client](t, value)
		old = &stored
		return err
	})
	t.lockState()
	t.flush()
	switch {
	case c.Revision == 0 && old != nil:
		return old, storage.ErrExists
	case c.Revision != 0 && old == nil:
		return old, storage.ErrNotFound
	case old != nil && c.Revision != old.Revision:
		return old, storage.ErrChanged
	}
	return old, nil
}

// putClient stores c, which checkClient has checked.
func (t *tx) putClient(c storage.Client, old *storage.Client) {
	truncateAll(&c.Created, &c.Updated)
	if old != nil {
		c.Sequence = old.Sequence
	} else {
		c.Sequence = t.sequence()
		// Start above the revisions of all removed clients, so that no id and revision ever name two clients.
		c.Revision = t.state.clientRevision
	}
	c.Revision++
	t.exec(
		`INSERT INTO @clients (id, enabled, sequence, dynamic, created, admit_groups, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE
		SET enabled = EXCLUDED.enabled, dynamic = EXCLUDED.dynamic, admit_groups = EXCLUDED.admit_groups,
			record = EXCLUDED.record`,
		c.ClientID, !c.Disabled, int64(c.Sequence), c.Dynamic, millis(c.Created), arrayOf(c.AdmitGroups), t.encode(c),
	)
	t.forgetClient(c.ClientID)
}

// forgetClient removes the client from this replica's cache after the commit.
func (t *tx) forgetClient(id string) {
	t.committed = append(t.committed, func() { t.store.clients.forget(id) })
}

// removeClient removes a client with its consents.
func (t *tx) removeClient(c *storage.Client) {
	if next := t.changeState(); c.Revision > next.clientRevision {
		next.clientRevision = c.Revision
	}
	t.exec(`DELETE FROM @clients WHERE id = $1`, c.ClientID)
	t.exec(`DELETE FROM @consents WHERE client = $1`, c.ClientID)
	t.forgetClient(c.ClientID)
}

// noteUse stores when a dynamic client was used, at most once in storage.UseInterval. It ignores other clients.
func (t *tx) noteUse(client string, at time.Time) {
	t.exec(
		`UPDATE @clients SET last_used = $2 WHERE id = $1 AND dynamic AND (last_used IS NULL OR last_used <= $3)`,
		client, millis(at), millis(at.Add(-storage.UseInterval)),
	)
}

// DynamicClientUsage implements storage.Clients.
func (s *Store) DynamicClientUsage(ctx context.Context) (storage.ClientUsage, error) {
	return read(ctx, s, func(t *tx) (usage storage.ClientUsage, err error) {
		t.queryRow(
			`SELECT count(*), coalesce(sum(octet_length(record)), 0)::bigint FROM @clients WHERE dynamic`, nil,
			&usage.Clients, &usage.Bytes,
		)
		return usage, nil
	})
}

// UnusedClients implements storage.Clients.
func (s *Store) UnusedClients(
	ctx context.Context,
	neverUsed, disused time.Time,
	limit int,
) ([]string, error) {
	return read(ctx, s, func(t *tx) (ids []string, err error) {
		t.query(
			`SELECT id FROM @clients WHERE dynamic
				AND (last_used IS NULL AND created < $1 OR last_used < $2) ORDER BY id LIMIT $3`,
			[]any{millis(neverUsed), millis(disused), limit},
			func(rows pgx.Rows) error {
				var id string
				err := rows.Scan(&id)
				ids = append(ids, id)
				return err
			},
		)
		return ids, nil
	})
}
