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
	f := fields{out: append(make([]byte, 0, 512), compactVersion)}
	switch r := record.(type) {
	case storage.User:
		f.user(&r)
	case storage.Session:
		f.session(&r)
	case storage.Member:
		f.member(&r)
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

// parse reads a record from its value, of which it keeps nothing.
func parse(value []byte, record any) error {
	f := fields{reading: true, in: value}
	if len(value) > 0 && value[0] == compactVersion {
		f.in, f.text = value[1:], string(value[1:])
	}
	switch r := record.(type) {
	case *storage.User:
		if f.text == "" {
			return json.Unmarshal(value, r) // as releases before wrote it
		}
		f.user(r)
	case *storage.Session:
		f.session(r)
	case *storage.Member:
		f.member(r)
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
	if f.damaged || len(f.in) != 0 {
		return fmt.Errorf("not a record of version %d", compactVersion)
	}
	return nil
}

// fields is a record on its way: each method writes the next field, or reads it.
type fields struct {
	out     []byte
	err     error // of what cannot be written
	reading bool
	in      []byte // what is left to read
	text    string // the same, for texts to be cut from
	damaged bool
}

// number is an unsigned integer, short if it is small.
func (f *fields) number(n *uint64) {
	if !f.reading {
		f.out = binary.AppendUvarint(f.out, *n)
		return
	}
	v, size := binary.Uvarint(f.in)
	if size <= 0 {
		f.damaged, f.in, size = true, nil, 0
	}
	*n = v
	f.skip(size)
}

// skip goes on behind what was read.
func (f *fields) skip(n int) {
	if n > len(f.in) || n > len(f.text) {
		f.damaged, f.in, f.text = true, nil, ""
		return
	}
	f.in, f.text = f.in[n:], f.text[n:]
}

// length is how many of something follow, each of at least one byte.
func (f *fields) length(n int) int {
	v := uint64(n)
	f.number(&v)
	if f.reading && v > uint64(len(f.in)) {
		f.damaged = true
		return 0
	}
	return int(v)
}

// whole is a signed integer that is hardly ever negative.
func whole[T ~int | ~int64](f *fields, n *T) {
	v := uint64(*n)
	f.number(&v)
	*n = T(v)
}

func (f *fields) flag(b *bool) {
	v := uint64(0)
	if *b {
		v = 1
	}
	f.number(&v)
	*b = v == 1
}

// time is a time in whole milliseconds, one more than those since 1970; the zero time is 0.
func (f *fields) time(at *time.Time) {
	v := uint64(0)
	if !at.IsZero() {
		v = uint64(at.UnixMilli()) + 1
	}
	f.number(&v)
	if !f.reading {
		return
	}
	if *at = (time.Time{}); v != 0 {
		*at = time.UnixMilli(int64(v - 1)).UTC()
	}
}

// text is a text of any type.
func text[T ~string](f *fields, s *T) {
	n := f.length(len(*s))
	if !f.reading {
		f.out = append(f.out, *s...)
		return
	}
	*s = T(f.text[:n])
	f.skip(n)
}

func (f *fields) texts(list *[]string) {
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

func (f *fields) hash(h *storage.Hash) {
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
