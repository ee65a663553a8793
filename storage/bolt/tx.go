package bolt

import (
	"bytes"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"
)

// tx is one transaction as the records' files use it. Its errors stick: a put or a load that fails is noticed once, at
// the end, by the committer or by view.
type tx struct {
	*bbolt.Tx
	cache       *cache // what is kept decoded; in a write transaction its next state
	cacheCloned bool   // cache is a copy of this transaction
	auditTail   auditTail
	buckets     [tableCount]*bbolt.Bucket
	wrote       bool // since the present function began
	err         error
}

// bucket finds a table, once in a transaction.
func (t *tx) bucket(tbl table) *bbolt.Bucket {
	if t.buckets[tbl] == nil {
		t.buckets[tbl] = t.Bucket([]byte(tableNames[tbl]))
	}
	return t.buckets[tbl]
}

// get reads a value, nil if there is none. It is valid until the transaction ends and must not be changed.
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

// delete removes a key; one that is not there is fine.
func (t *tx) delete(tbl table, key []byte) {
	t.wrote = true
	if err := t.bucket(tbl).Delete(key); err != nil {
		t.fail(fmt.Errorf("delete from %s: %w", tableNames[tbl], err))
	}
}

// store writes a record.
func (t *tx) store(tbl table, key []byte, record any) {
	value, err := encode(record)
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
func load[T any](t *tx, tbl table, key []byte) (record T, ok bool) {
	value := t.get(tbl, key)
	if value == nil {
		return record, false
	}
	return decode[T](t, tbl, value)
}

// decode reads a record from its value.
func decode[T any](t *tx, tbl table, value []byte) (record T, ok bool) {
	if err := decodeRecord(value, &record); err != nil {
		t.fail(damagedError(fmt.Sprintf("a record in table %s cannot be read: %v", tableNames[tbl], err)))
		return record, false
	}
	return record, true
}

// scanPrefix walks the keys that begin with prefix, in order. The table must not be changed on the way.
func (t *tx) scanPrefix(tbl table, prefix []byte) iter.Seq2[[]byte, []byte] {
	return t.scanAfter(tbl, prefix, nil)
}

// scanAfter walks the keys that begin with prefix and follow after (nil: from the first), in order.
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

// scanBackward walks the keys that begin with prefix and precede before (nil: from the last), in reverse order.
func (t *tx) scanBackward(tbl table, prefix, before []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.bucket(tbl).Cursor()
		if before == nil {
			before = append(bytes.Clone(prefix), 0xff) // no key goes on with 0xff: they are UTF-8, times and counts
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
