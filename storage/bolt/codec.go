package bolt

import (
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// codec.go encodes records. The records that requests and terminations read most are protobuf messages: each field has a
// number, a field with the zero value is left out, and a reader skips numbers that it does not know. A new field is
// therefore one new line in records.go, with a number that the record never had. All other records are JSON.
//
// `protoc --decode_raw` prints a value. The numbers stand in records.go, once for writing and reading.

// maxFieldNumber is the highest number that a field may have.
const maxFieldNumber = 31

// listItem is the number of every element in the message that holds a list.
const listItem = 1

// errRecord reports a value that is not a record.
var errRecord = errors.New("damaged record")

// encode returns the value of a record.
func encode(record any) ([]byte, error) {
	f := recordCodec{out: make([]byte, 0, 512)}
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

// decodeRecord reads a record from its value. The record does not refer to the value.
func decodeRecord(value []byte, record any) error {
	f := recordCodec{reading: true}
	switch r := record.(type) {
	case *storage.User:
		f.open(value)
		f.user(r)
	case *storage.Session:
		f.open(value)
		f.session(r)
	case *storage.ClientSession:
		f.open(value)
		f.clientSession(r)
	case *storage.Grant:
		f.open(value)
		f.grant(r)
	case *storage.Token:
		f.open(value)
		f.token(r)
	case *storage.Delivery:
		f.open(value)
		f.delivery(r)
	case *storage.Report:
		f.open(value)
		f.report(r)
	default:
		return json.Unmarshal(value, record)
	}
	if f.damaged {
		return errRecord
	}
	return nil
}

// recordCodec writes or reads one record. A record's function in records.go names each field with its number; the method
// for the field's type then writes the field, or sets it from the value.
type recordCodec struct {
	out     []byte // the value written so far
	err     error  // why a field cannot be written
	reading bool
	damaged bool // the value that is read is not a record
	message
}

// message is a message that is read: where its fields are.
type message struct {
	raw     []byte
	text    string                     // raw as a string, from which texts are cut without copying
	numbers [maxFieldNumber + 1]uint64 // a number, or where a field's bytes begin and end: begin<<32 | end
	isBytes uint32                     // bit n: field n is bytes
	isSet   uint32                     // bit n: field n is present
}

// open reads where the fields of a value are.
func (f *recordCodec) open(value []byte) {
	f.raw, f.message.text = value, string(value)
	f.scan()
}

// scan finds the fields of the message and skips those whose numbers it does not know.
func (f *recordCodec) scan() {
	for offset := 0; offset < len(f.raw); {
		field, kind, tagSize := protowire.ConsumeTag(f.raw[offset:])
		if tagSize < 0 {
			f.damaged = true
			return
		}
		offset += tagSize
		rest := f.raw[offset:]
		size := protowire.ConsumeFieldValue(field, kind, rest)
		if size < 0 {
			f.damaged = true
			return
		}
		offset += size
		if field > maxFieldNumber {
			continue
		}
		bit := uint32(1) << field
		switch kind {
		case protowire.VarintType:
			f.numbers[field], _ = protowire.ConsumeVarint(rest)
			f.isSet, f.isBytes = f.isSet|bit, f.isBytes&^bit
		case protowire.BytesType:
			content, _ := protowire.ConsumeBytes(rest)
			f.numbers[field] = uint64(offset-len(content))<<32 | uint64(offset)
			f.isSet, f.isBytes = f.isSet|bit, f.isBytes|bit
		}
	}
}

// find returns where the bytes of a field begin and end: 0, 0 if the field is missing.
func (f *recordCodec) find(field protowire.Number) (begin, end int) {
	bit := uint32(1) << field
	if f.isSet&bit == 0 {
		return 0, 0
	}
	if f.isBytes&bit == 0 {
		f.damaged = true
		return 0, 0
	}
	return int(f.numbers[field] >> 32), int(uint32(f.numbers[field]))
}

// uvarint is an unsigned integer, short if it is small.
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

// integer is a signed integer that is hardly ever negative.
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

// time is a time in whole milliseconds: the number of them since 1970, plus one.
func (f *recordCodec) time(field protowire.Number, at *time.Time) {
	v := uint64(0)
	if !at.IsZero() {
		v = uint64(at.UnixMilli()) + 1
	}
	f.uvarint(field, &v)
	if !f.reading {
		return
	}
	if *at = (time.Time{}); v != 0 {
		*at = time.UnixMilli(int64(v - 1)).UTC()
	}
}

// text is a text of any type.
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

// texts is a list of texts. A list without elements is read as nil.
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

// uvarints is a list of unsigned integers (protobuf's packed form). A list without elements is read as nil.
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

// countItems returns how many elements a list has.
func (f *recordCodec) countItems(begin, end int) (n int) {
	for begin < end && !f.damaged {
		_, begin = f.nextItem(begin, end)
		n++
	}
	return n
}

// nextItem returns where the list element at begin has its bytes.
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

// json is a JSON text as it came.
func (f *recordCodec) json(field protowire.Number, r *json.RawMessage) {
	s := string(*r)
	text(f, field, &s)
	if *r = nil; s != "" {
		*r = json.RawMessage(s)
	}
}

// claims are claims about a user, in JSON.
func (f *recordCodec) claims(field protowire.Number, r *map[string]any) {
	var raw json.RawMessage
	if !f.reading && len(*r) > 0 {
		raw, f.err = json.Marshal(*r)
	}
	f.json(field, &raw)
	if f.reading {
		if *r = nil; raw != nil {
			f.damaged = json.Unmarshal(raw, r) != nil || f.damaged
		}
	}
}

// enter begins a message inside the record: until leave, fields belong to it. A message whose fields are all zero is left
// out.
func (f *recordCodec) enter(field protowire.Number) (outer message, body messageStart) {
	if !f.reading {
		return outer, f.beginMessage(field)
	}
	begin, end := f.find(field)
	return f.enterBytes(begin, end), body
}

// enterBytes begins to read the message in these bytes of the current one.
func (f *recordCodec) enterBytes(begin, end int) (outer message) {
	outer = f.message
	f.message = message{raw: outer.raw[begin:end], text: outer.text[begin:end]}
	f.scan()
	return outer
}

// leave ends what enter began.
func (f *recordCodec) leave(outer message, body messageStart) {
	if f.reading {
		f.message = outer
		return
	}
	f.endMessage(body)
}

// messageStart is where a message begins in the value that is written: its tag, and its bytes.
type messageStart struct {
	tag, content int
}

// beginMessage writes the tag of a message.
func (f *recordCodec) beginMessage(field protowire.Number) messageStart {
	tag := len(f.out)
	f.out = protowire.AppendTag(f.out, field, protowire.BytesType)
	return messageStart{tag: tag, content: len(f.out)}
}

// endMessage puts the length before what was written since beginMessage, or takes the tag away if that is nothing.
func (f *recordCodec) endMessage(body messageStart) {
	length := len(f.out) - body.content
	if length == 0 {
		f.out = f.out[:body.tag]
		return
	}
	f.insertLength(body.content, length)
}

// insertLength puts the length of the last bytes of the value before them.
func (f *recordCodec) insertLength(content, length int) {
	size := protowire.SizeVarint(uint64(length))
	for range size {
		f.out = append(f.out, 0)
	}
	copy(f.out[content+size:], f.out[content:content+length])
	protowire.AppendVarint(f.out[:content], uint64(length))
}
