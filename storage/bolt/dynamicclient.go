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

// dynamicclient.go reads clients that were registered dynamically. The cache contains all clients of the operator, but
// anyone may register dynamic clients, so that they could fill the memory. The store decodes their records when it
// reads them, and keeps only a few decoded. The table dynamicClients contains the size of each record and the time when
// the client was used last.

// maxDecoded is the largest number of records that decodedClients keeps.
const maxDecoded = 256

// decodedClients keeps decoded records with the bytes that they were decoded from. A record that has changed meanwhile
// has other bytes and is decoded again.
type decodedClients struct {
	mu      sync.Mutex
	records map[string]decodedClient
}

type decodedClient struct {
	value  []byte
	client *storage.Client
}

// find returns the decoded form of value, or nil.
func (d *decodedClients) find(id string, value []byte) *storage.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.records[id]; ok && bytes.Equal(r.value, value) {
		return r.client
	}
	return nil
}

// add keeps a record. If there are too many, it removes another one, no matter which.
func (d *decodedClients) add(id string, value []byte, c *storage.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.records == nil {
		d.records = map[string]decodedClient{}
	}
	for otherID := range d.records {
		if len(d.records) < maxDecoded {
			break
		}
		delete(d.records, otherID)
	}
	d.records[id] = decodedClient{bytes.Clone(value), c}
}

// client returns a client, or nil.
func (t *tx) client(id string) *storage.Client {
	if c := t.cache.clients[id]; c != nil {
		return c
	}
	// Ignore an operator's client that is in the file but not in this cache: it was added after the cache was loaded.
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

// dynamicClient is the value of a client in the table dynamicClients.
type dynamicClient struct {
	size     int64 // of the client's record, in bytes
	created  time.Time
	lastUsed time.Time // zero: never
}

// unused reports whether the client was never used and created before neverUsed, or used last before disused.
func (c dynamicClient) unused(neverUsed, disused time.Time) bool {
	if c.lastUsed.IsZero() {
		return c.created.Before(neverUsed)
	}
	return c.lastUsed.Before(disused)
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

// putDynamicClient stores the size of a client's record.
func (t *tx) putDynamicClient(c *storage.Client, size int) {
	dynamic := dynamicClient{created: c.Created}
	usage := &t.changeCache().dynamic
	if old := t.get(dynamicClients, []byte(c.ClientID)); old != nil {
		dynamic = parseDynamicClient(old)
	} else {
		usage.Clients++
	}
	usage.Bytes += int64(size) - dynamic.size
	dynamic.size = int64(size)
	t.put(dynamicClients, []byte(c.ClientID), dynamic.encode())
}

// removeDynamicClient removes a client from the table dynamicClients, if it is there.
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

// noteUse stores when a dynamic client was used, at most once in storage.UseInterval. It ignores other clients.
func (t *tx) noteUse(client string, at time.Time) {
	value := t.get(dynamicClients, []byte(client))
	if value == nil {
		return
	}
	dynamic := parseDynamicClient(value)
	if dynamic.lastUsed.IsZero() || at.Sub(dynamic.lastUsed) >= storage.UseInterval {
		dynamic.lastUsed = at
		t.put(dynamicClients, []byte(client), dynamic.encode())
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
			if parseDynamicClient(value).unused(neverUsed, disused) {
				ids = append(ids, string(id))
			}
		}
		return ids, nil
	})
}

// indexDynamicClients fills the table dynamicClients in a file that did not have it. It sets lastUsed to the time when
// the client was changed last.
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
		dynamic := dynamicClient{
			size:     int64(len(value)),
			created:  c.Created,
			lastUsed: c.Updated,
		}
		return index.Put(id, dynamic.encode())
	})
}
