package bolt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// compact.go writes the records that requests and endings read most in few bytes; all others are JSON. What a record consists of stands in
// layout.go, once for both directions.

// compactVersion begins a compact record; JSON never does. A release that changes the layout counts it up and reads the older ones too.
const compactVersion = 1

// encode makes the value of a record.
func encode(record any) ([]byte, error) {
	f := recordCodec{out: append(make([]byte, 0, 512), compactVersion)}
	switch r := record.(type) {
	case storage.User:
		f.user(&r)
	case storage.Session:
		f.session(&r)
	case storage.ClientSession:
		f.clientSession(&r)
	case storage.Grant:
		f.grant(&r)
	case storage.Token:
		f.token(&r)
	case storage.Delivery:
		f.delivery(&r)
	case storage.Report:
		f.report(&r)
	default:
		return json.Marshal(record)
	}
	return f.out, f.err
}

// decodeRecord reads a record from its value, of which it keeps nothing.
func decodeRecord(value []byte, record any) error {
	f := recordCodec{reading: true, rest: value}
	if len(value) > 0 && value[0] == compactVersion {
		f.rest, f.restText = value[1:], string(value[1:])
	}
	switch r := record.(type) {
	case *storage.User:
		if f.restText == "" {
			return json.Unmarshal(value, r) // as releases before wrote it
		}
		f.user(r)
	case *storage.Session:
		f.session(r)
	case *storage.ClientSession:
		f.clientSession(r)
	case *storage.Grant:
		f.grant(r)
	case *storage.Token:
		f.token(r)
	case *storage.Delivery:
		f.delivery(r)
	case *storage.Report:
		f.report(r)
	default:
		return json.Unmarshal(value, record)
	}
	if f.damaged || len(f.rest) != 0 {
		return fmt.Errorf("not a record of version %d", compactVersion)
	}
	return nil
}

// recordCodec is a record on its way: each method writes the next field, or reads it.
type recordCodec struct {
	out      []byte
	err      error // of what cannot be written
	reading  bool
	rest     []byte // what is left to read
	restText string // the same, for texts to be cut from
	damaged  bool
}

// uvarint is an unsigned integer, short if it is small.
func (f *recordCodec) uvarint(n *uint64) {
	if !f.reading {
		f.out = binary.AppendUvarint(f.out, *n)
		return
	}
	v, size := binary.Uvarint(f.rest)
	if size <= 0 {
		f.damaged, f.rest, size = true, nil, 0
	}
	*n = v
	f.skip(size)
}

// skip goes on behind what was read.
func (f *recordCodec) skip(n int) {
	if n > len(f.rest) || n > len(f.restText) {
		f.damaged, f.rest, f.restText = true, nil, ""
		return
	}
	f.rest, f.restText = f.rest[n:], f.restText[n:]
}

// length is how many of something follow, each of at least one byte.
func (f *recordCodec) length(n int) int {
	v := uint64(n)
	f.uvarint(&v)
	if f.reading && v > uint64(len(f.rest)) {
		f.damaged = true
		return 0
	}
	return int(v)
}

// integer is a signed integer that is hardly ever negative.
func integer[T ~int | ~int64](f *recordCodec, n *T) {
	v := uint64(*n)
	f.uvarint(&v)
	*n = T(v)
}

func (f *recordCodec) boolean(b *bool) {
	v := uint64(0)
	if *b {
		v = 1
	}
	f.uvarint(&v)
	*b = v == 1
}

// time is a time in whole milliseconds, one more than those since 1970; the zero time is 0.
func (f *recordCodec) time(at *time.Time) {
	v := uint64(0)
	if !at.IsZero() {
		v = uint64(at.UnixMilli()) + 1
	}
	f.uvarint(&v)
	if !f.reading {
		return
	}
	if *at = (time.Time{}); v != 0 {
		*at = time.UnixMilli(int64(v - 1)).UTC()
	}
}

// text is a text of any type.
func text[T ~string](f *recordCodec, s *T) {
	n := f.length(len(*s))
	if !f.reading {
		f.out = append(f.out, *s...)
		return
	}
	*s = T(f.restText[:n])
	f.skip(n)
}

func (f *recordCodec) texts(list *[]string) {
	n := f.length(len(*list))
	if f.reading {
		*list = nil
		if n > 0 {
			*list = make([]string, n)
		}
	}
	for i := range *list {
		text(f, &(*list)[i])
	}
}

func (f *recordCodec) hash(h *storage.Hash) {
	s := ""
	if !h.IsZero() {
		s = string(h[:])
	}
	text(f, &s)
	if f.reading {
		f.damaged = f.damaged || len(s) != 0 && len(s) != len(h)
		*h = storage.Hash{}
		copy(h[:], s)
	}
}
