package postgres

import (
	"context"
	"encoding/base64"

	"github.com/curfew-id/curfew/storage"
)

// listChunk is how many records a listing reads at once in addition to a page, because its filter may skip some.
const listChunk = 50

// item is a candidate of a listing.
type item[T any] struct {
	key    string // its place in the order of the listing
	record T
	picked bool // it passes the filter
}

// list reads one page of a listing. next returns at most limit candidates that follow the key after, or the first ones
// if after is empty. Fewer than limit candidates mean that there are no more. The cursor of the page encodes the key of
// its last record.
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
			page = append(page, candidate.record)
			last = candidate.key
		}
		if len(chunk) < size {
			return page, "", nil
		}
	}
}

// decodeCursor returns the key in a cursor, or "" for the first page.
func decodeCursor(p storage.Page) string {
	key, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return ""
	}
	return string(key)
}
