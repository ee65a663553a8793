package bolt

import (
	"bytes"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/curfew-id/curfew/storage/record"
)

// tx is one transaction. It keeps the first error of its puts and loads; the committer and readTx look at that error
// once, when the function has returned.
type tx struct {
	*bbolt.Tx
	cache       *cache // in a write transaction, the cache after its commit
	decoded     *decodedClients
	cacheCloned bool // cache is a copy that this transaction may change
	auditTail   auditTail
	buckets     [tableCount]*bbolt.Bucket
	wrote       bool // the present job has written
	err         error
}

// bucket returns the bucket of a table. The transaction keeps it.
func (t *tx) bucket(tbl table) *bbolt.Bucket {
	if t.buckets[tbl] == nil {
		t.buckets[tbl] = t.Bucket([]byte(tableNames[tbl]))
	}
	return t.buckets[tbl]
}

// get reads a value, nil if there is none. The value is valid until the transaction ends, and must not be changed.
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

// delete removes a key if it is there.
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

// scanPrefix walks the keys that begin with prefix, in order. The table must not be changed during the walk.
func (t *tx) scanPrefix(tbl table, prefix []byte) iter.Seq2[[]byte, []byte] {
	return t.scanAfter(tbl, prefix, nil)
}

// scanAfter walks the keys that begin with prefix and come after the key after (nil: all of them), in order.
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

// scanBackward walks the keys that begin with prefix and come before the key before (nil: all of them), in reverse
// order.
func (t *tx) scanBackward(tbl table, prefix, before []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(tbl).Cursor()
		if before == nil {
			before = append(bytes.Clone(prefix), 0xff) // no key has 0xff there: keys are UTF-8, times and numbers
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
