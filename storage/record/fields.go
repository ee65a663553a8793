package record

import (
	"bytes"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// fields.go contains one method for each type of field. When writing, the method writes the field. When reading, it
// sets the field from the current message, or to zero if the message lacks it.

// uvarint writes or reads an unsigned integer as a varint.
func (f *recordCodec) uvarint(field protowire.Number, n *uint64) {
	if !f.reading {
		if *n != 0 {
			f.out = protowire.AppendVarint(protowire.AppendTag(f.out, field, protowire.VarintType), *n)
		}
		return
	}
	*n = 0
	if bit := uint32(1) << field; f.isSet&bit != 0 {
		f.damaged = f.damaged || f.isBytes&bit != 0
		*n = f.numbers[field]
	}
}

// integer writes or reads a signed integer as a varint. A negative one takes ten bytes.
func integer[T ~int | ~int64](f *recordCodec, field protowire.Number, n *T) {
	v := uint64(*n)
	f.uvarint(field, &v)
	*n = T(v)
}

func (f *recordCodec) boolean(field protowire.Number, b *bool) {
	v := protowire.EncodeBool(*b)
	f.uvarint(field, &v)
	*b = protowire.DecodeBool(v)
}

// time writes or reads a time in whole milliseconds, as the number of milliseconds since 1970 plus one. Zero stands for
// the zero time.
func (f *recordCodec) time(field protowire.Number, at *time.Time) {
	v := uint64(0)
	if !at.IsZero() {
		v = uint64(at.UnixMilli()) + 1
	}
	f.uvarint(field, &v)
	if !f.reading {
		return
	}
	*at = time.Time{}
	if v != 0 {
		*at = time.UnixMilli(int64(v - 1)).UTC()
	}
}

// text writes or reads a string, or a field of a type that is based on string.
func text[T ~string](f *recordCodec, field protowire.Number, s *T) {
	if !f.reading {
		if *s != "" {
			f.out = protowire.AppendString(protowire.AppendTag(f.out, field, protowire.BytesType), string(*s))
		}
		return
	}
	begin, end := f.find(field)
	*s = T(f.message.text[begin:end])
}

// texts writes or reads a list of strings. An empty list is read as nil.
func (f *recordCodec) texts(field protowire.Number, list *[]string) {
	if !f.reading {
		body := f.beginMessage(field)
		for _, s := range *list {
			f.out = protowire.AppendString(protowire.AppendTag(f.out, listItem, protowire.BytesType), s)
		}
		f.endMessage(body)
		return
	}
	*list = nil
	begin, end := f.find(field)
	if n := f.countItems(begin, end); n > 0 {
		*list = make([]string, 0, n)
	}
	for begin < end && !f.damaged {
		var itemBegin int
		itemBegin, begin = f.nextItem(begin, end)
		*list = append(*list, f.message.text[itemBegin:begin])
	}
}

// uvarints writes or reads a list of unsigned integers, in protobuf's packed form. An empty list is read as nil.
func (f *recordCodec) uvarints(field protowire.Number, list *[]uint64) {
	if !f.reading {
		body := f.beginMessage(field)
		for _, n := range *list {
			f.out = protowire.AppendVarint(f.out, n)
		}
		f.endMessage(body)
		return
	}
	*list = nil
	for begin, end := f.find(field); begin < end; {
		n, size := protowire.ConsumeVarint(f.raw[begin:end])
		if size < 0 {
			f.damaged = true
			return
		}
		*list = append(*list, n)
		begin += size
	}
}

// countItems returns the number of elements in the list between begin and end.
func (f *recordCodec) countItems(begin, end int) (n int) {
	for begin < end && !f.damaged {
		_, begin = f.nextItem(begin, end)
		n++
	}
	return n
}

// nextItem returns the position of the bytes of the list element at begin. The next element begins at itemEnd.
func (f *recordCodec) nextItem(begin, end int) (itemBegin, itemEnd int) {
	item, kind, tagSize := protowire.ConsumeTag(f.raw[begin:end])
	if tagSize < 0 || item != listItem || kind != protowire.BytesType {
		f.damaged = true
		return 0, 0
	}
	content, size := protowire.ConsumeBytes(f.raw[begin+tagSize : end])
	if size < 0 {
		f.damaged = true
		return 0, 0
	}
	itemEnd = begin + tagSize + size
	return itemEnd - len(content), itemEnd
}

func (f *recordCodec) hash(field protowire.Number, h *storage.Hash) {
	if !f.reading {
		if !h.IsZero() {
			f.out = protowire.AppendBytes(protowire.AppendTag(f.out, field, protowire.BytesType), h[:])
		}
		return
	}
	*h = storage.Hash{}
	begin, end := f.find(field)
	f.damaged = f.damaged || (begin != end && end-begin != len(h))
	copy(h[:], f.raw[begin:end])
}

// bytes writes or reads bytes. Empty bytes are read as nil.
func (f *recordCodec) bytes(field protowire.Number, b *[]byte) {
	if !f.reading {
		if len(*b) > 0 {
			f.out = protowire.AppendBytes(protowire.AppendTag(f.out, field, protowire.BytesType), *b)
		}
		return
	}
	*b = nil
	if begin, end := f.find(field); begin != end {
		*b = bytes.Clone(f.raw[begin:end])
	}
}

// json writes or reads a JSON text without changing it.
func (f *recordCodec) json(field protowire.Number, r *json.RawMessage) {
	s := string(*r)
	text(f, field, &s)
	*r = nil
	if s != "" {
		*r = json.RawMessage(s)
	}
}

// claims writes or reads the claims about a user, in JSON.
func (f *recordCodec) claims(field protowire.Number, claims *map[string]any) {
	var raw json.RawMessage
	if !f.reading && len(*claims) > 0 {
		raw, f.err = json.Marshal(*claims)
	}
	f.json(field, &raw)
	if !f.reading {
		return
	}
	*claims = nil
	if raw != nil && json.Unmarshal(raw, claims) != nil {
		f.damaged = true
	}
}
