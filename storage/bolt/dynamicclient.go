package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/record"
)

// dynamicclient.go has the clients that registered themselves. Anyone may register one, so they are not all kept
// decoded in memory, as the operator's clients are: a record is decoded when it is read, and only the latest few are
// kept. The table dynamicClients says how large each record is and when the client was used.

// maxDecoded is how many decoded records are kept.
const maxDecoded = 256

// decodedClients are the decoded records that were read last, by the bytes that they were decoded from: a record that
// has changed since does not match.
type decodedClients struct {
	mu      sync.Mutex
	records map[string]decodedClient
}

type decodedClient struct {
	value  []byte
	client *storage.Client
}

func (d *decodedClients) find(id string, value []byte) *storage.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.records[id]; ok && bytes.Equal(r.value, value) {
		return r.client
	}
	return nil
}

// add keeps a record. If there are too many, any other makes room.
func (d *decodedClients) add(id string, value []byte, c *storage.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.records == nil {
		d.records = map[string]decodedClient{}
	}
	for other := range d.records {
		if len(d.records) < maxDecoded {
			break
		}
		delete(d.records, other)
	}
	d.records[id] = decodedClient{bytes.Clone(value), c}
}

// client finds a client, nil if there is none.
func (t *tx) client(id string) *storage.Client {
	if c := t.cache.clients[id]; c != nil {
		return c
	}
	// An operator's client that is in the file but not in the cache has been added since the cache was loaded.
	value := t.get(clients, []byte(id))
	if value == nil || t.get(dynamicClients, []byte(id)) == nil {
		return nil
	}
	if c := t.decoded.find(id, value); c != nil {
		return c
	}
	c, ok := decode[storage.Client](t, clients, value)
	if !ok {
		return nil
	}
	t.decoded.add(id, value, &c)
	return &c
}

// dynamicClient is the row of a client in the table dynamicClients.
type dynamicClient struct {
	size     int64 // of its record, in bytes
	created  time.Time
	lastUsed time.Time // zero: never
}

func (c dynamicClient) encode() []byte {
	value := binary.BigEndian.AppendUint64(nil, uint64(c.size))
	value = append(value, timeKey(c.created)...)
	return append(value, timeKey(c.lastUsed)...)
}

func parseDynamicClient(value []byte) (c dynamicClient) {
	if len(value) < 3*timeKeyLength {
		return c
	}
	c.size = int64(binary.BigEndian.Uint64(value))
	c.created = keyTime(value[timeKeyLength:])
	if used := keyTime(value[2*timeKeyLength:]); used.UnixMilli() > 0 {
		c.lastUsed = used
	}
	return c
}

// putDynamicClient notes the size of a stored record.
func (t *tx) putDynamicClient(c *storage.Client, size int) {
	row := dynamicClient{created: c.Created}
	usage := &t.changeCache().dynamic
	if old := t.get(dynamicClients, []byte(c.ClientID)); old != nil {
		row = parseDynamicClient(old)
	} else {
		usage.Clients++
	}
	usage.Bytes += int64(size) - row.size
	row.size = int64(size)
	t.put(dynamicClients, []byte(c.ClientID), row.encode())
}

// removeDynamicClient removes the row of a client if it has one.
func (t *tx) removeDynamicClient(id string) {
	old := t.get(dynamicClients, []byte(id))
	if old == nil {
		return
	}
	usage := &t.changeCache().dynamic
	usage.Clients--
	usage.Bytes -= parseDynamicClient(old).size
	t.delete(dynamicClients, []byte(id))
}

// noteUse dates the last use of a client if it is dynamic and the date on record is too old.
func (t *tx) noteUse(client string, at time.Time) {
	value := t.get(dynamicClients, []byte(client))
	if value == nil {
		return
	}
	row := parseDynamicClient(value)
	if row.lastUsed.IsZero() || at.Sub(row.lastUsed) >= storage.UseInterval {
		row.lastUsed = at
		t.put(dynamicClients, []byte(client), row.encode())
	}
}

// DynamicClientUsage implements storage.Clients.
func (s *Store) DynamicClientUsage(ctx context.Context) (storage.ClientUsage, error) {
	if err := ctx.Err(); err != nil {
		return storage.ClientUsage{}, unavailable(err)
	}
	return s.cache.Load().dynamic, nil
}

// UnusedClients implements storage.Clients.
func (s *Store) UnusedClients(
	ctx context.Context,
	neverUsed, disused time.Time,
	limit int,
) ([]string, error) {
	return read(ctx, s, func(t *tx) (ids []string, err error) {
		for id, value := range t.scanPrefix(dynamicClients, nil) {
			if len(ids) == limit {
				break
			}
			row := parseDynamicClient(value)
			unused := row.lastUsed.IsZero() && row.created.Before(neverUsed) ||
				!row.lastUsed.IsZero() && row.lastUsed.Before(disused)
			if unused {
				ids = append(ids, string(id))
			}
		}
		return ids, nil
	})
}

// indexDynamicClients fills the table dynamicClients of a file that had none. Its clients count as used when they were
// changed last.
func indexDynamicClients(b *bbolt.Tx) error {
	index := b.Bucket([]byte(tableNames[dynamicClients]))
	if k, _ := index.Cursor().First(); k != nil {
		return nil
	}
	return b.Bucket([]byte(tableNames[clients])).ForEach(func(id, value []byte) error {
		var c storage.Client
		if err := record.Decode(value, &c); err != nil || !c.Dynamic {
			return nil // reload reports a record that cannot be read
		}
		row := dynamicClient{size: int64(len(value)), created: c.Created, lastUsed: c.Updated}
		return index.Put(id, row.encode())
	})
}
