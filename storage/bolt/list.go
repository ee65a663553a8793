package bolt

import (
	"bytes"
	"context"
	"encoding/base64"
	"iter"

	"github.com/curfew-id/curfew/storage"
)

// listChunk is how many keys a listing reads in one read transaction. A filter may skip a million records. A long
// transaction would keep bbolt from reusing pages and, when the file grows, would block all other readers.
const listChunk = 2000

// list reads one page of a listing. walk walks the candidates whose keys come after the key after. pick returns the
// record of a candidate, or false to skip it. next is the cursor of the following page: it contains the key of the last
// record of this page.
func list[V, T any](
	ctx context.Context,
	s *Store,
	p storage.Page,
	walk func(t *tx, after []byte) iter.Seq2[[]byte, V],
	pick func(t *tx, key []byte, v V) (T, bool),
) (page []T, next string, err error) {
	limit := p.Limit
	if limit <= 0 {
		limit = 100
	}
	from := decodeCursor(p)
	var last []byte // the key of the last record of the page
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			more = false
			seen := 0
			var scanned []byte
			for k, v := range walk(t, from) {
				if seen++; seen > listChunk {
					more = true
					break
				}
				scanned = k
				record, ok := pick(t, k, v)
				if !ok {
					continue
				}
				if len(page) == limit {
					next = encodeCursor(last)
					return nil
				}
				page = append(page, record)
				last = bytes.Clone(k)
			}
			from = bytes.Clone(scanned)
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	return page, next, nil
}

// encodeCursor returns the cursor for the key of a page's last record.
func encodeCursor(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// decodeCursor returns the key in a cursor, nil for the first page.
func decodeCursor(p storage.Page) []byte {
	key, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || len(key) == 0 {
		return nil
	}
	return key
}
