package postgres

import (
	"context"
	"encoding/base64"

	"github.com/curfew-id/curfew/storage"
)

// listChunk is how many records more than a page a listing reads at once, since its filter may skip some.
const listChunk = 50

// item is a candidate of a listing.
type item[T any] struct {
	key    string // its place in the order of the listing
	record T
	picked bool // it passes the filter
}

// list reads one page of a listing. next returns the candidates that follow the key after (empty: the first ones), at
// most as many as limit says; fewer means that there are no more. The page's cursor names the key of its last record.
func list[T any](
	ctx context.Context,
	s *Store,
	p storage.Page,
	next func(t *tx, after string, limit int) []item[T],
) (page []T, cursor string, err error) {
	limit := p.Limit
	if limit <= 0 {
		limit = 100
	}
	after := decodeCursor(p)
	var last string // the key of the last record of the page
	for {
		size := limit + listChunk
		chunk, err := read(ctx, s, func(t *tx) ([]item[T], error) { return next(t, after, size), nil })
		if err != nil {
			return nil, "", err
		}
		for _, candidate := range chunk {
			after = candidate.key
			if !candidate.picked {
				continue
			}
			if len(page) == limit {
				return page, base64.RawURLEncoding.EncodeToString([]byte(last)), nil
			}
			page, last = append(page, candidate.record), candidate.key
		}
		if len(chunk) < size {
			return page, "", nil
		}
	}
}

// decodeCursor returns the key in a cursor, empty for the first page.
func decodeCursor(p storage.Page) string {
	key, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return ""
	}
	return string(key)
}
