package bolt

import (
	"bytes"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/record"
)

// tx is one transaction. Its methods do not return their errors: tx keeps the first one in err. The committer and
// readTx check err when the job's function has returned.
type tx struct {
	*bbolt.Tx
	cache       *cache // in a write transaction: the cache as it will be after the commit
	decoded     *decodedClients
	cacheCloned bool // cache is a copy that this transaction may change
	auditTail   auditTail
	auditKey    storage.AuditKey
	buckets     [tableCount]*bbolt.Bucket // see bucket
	wrote       bool                      // the current job has written
	err         error                     // see fail
}

// bucket returns the bucket of a table. It looks the bucket up once in a transaction.
func (t *tx) bucket(tbl table) *bbolt.Bucket {
	if t.buckets[tbl] == nil {
		t.buckets[tbl] = t.Bucket([]byte(tableNames[tbl]))
	}
	return t.buckets[tbl]
}

// get reads a value; nil if there is none. The value is valid until the transaction ends. Callers must not change it.
func (t *tx) get(tbl table, key []byte) []byte {
	if len(key) == 0 {
		return nil
	}
	return t.bucket(tbl).Get(key)
}

// put writes a value.
func (t *tx) put(tbl table, key, value []byte) {
	t.wrote = true
	if err := t.bucket(tbl).Put(key, value); err != nil {
		t.fail(fmt.Errorf("write %s: %w", tableNames[tbl], err))
	}
}

// delete removes a key, if it exists.
func (t *tx) delete(tbl table, key []byte) {
	t.wrote = true
	if err := t.bucket(tbl).Delete(key); err != nil {
		t.fail(fmt.Errorf("delete from %s: %w", tableNames[tbl], err))
	}
}

// store writes a record.
func (t *tx) store(tbl table, key []byte, content any) {
	value, err := record.Encode(content)
	if err != nil {
		t.fail(fmt.Errorf("encode %s: %w", tableNames[tbl], err))
		return
	}
	t.put(tbl, key, value)
}

// fail keeps the first error.
func (t *tx) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// load reads a record; ok is false if there is none.
func load[T any](t *tx, tbl table, key []byte) (content T, ok bool) {
	value := t.get(tbl, key)
	if value == nil {
		return content, false
	}
	return decode[T](t, tbl, value)
}

// decode reads a record from its value.
func decode[T any](t *tx, tbl table, value []byte) (content T, ok bool) {
	if err := record.Decode(value, &content); err != nil {
		t.fail(damagedError(fmt.Sprintf("a record in table %s cannot be read: %v", tableNames[tbl], err)))
		return content, false
	}
	return content, true
}

// scanPrefix walks the keys that begin with prefix, in order. Callers must not change the table during the walk.
func (t *tx) scanPrefix(tbl table, prefix []byte) iter.Seq2[[]byte, []byte] {
	return t.scanAfter(tbl, prefix, nil)
}

// scanAfter walks the keys that begin with prefix, in order. It begins behind the key after; nil: at the first key.
func (t *tx) scanAfter(tbl table, prefix, after []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(tbl).Cursor()
		from := prefix
		if bytes.Compare(after, from) > 0 {
			from = after
		}
		k, v := c.Seek(from)
		if after != nil && bytes.Equal(k, after) {
			k, v = c.Next()
		}
		for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// scanBackward walks the keys that begin with prefix, in reverse order. It begins before the key before; nil: at the
// last key.
func (t *tx) scanBackward(tbl table, prefix, before []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(tbl).Cursor()
		if before == nil {
			before = append(bytes.Clone(prefix), 0xff) // above all keys: none has this byte behind the prefix
		}
		k, v := c.Seek(before)
		if k == nil {
			k, v = c.Last()
		}
		for k != nil && bytes.Compare(k, before) >= 0 {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
			if !yield(k, v) {
				return
			}
		}
	}
}
