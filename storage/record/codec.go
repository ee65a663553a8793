// Package record encodes the records of a store, for every backend that keeps them as bytes.
//
// The records that requests and terminations read most are protobuf messages: each field has a number, a field with the
// zero value is left out, and a reader skips numbers that it does not know. A new field is therefore one new line in
// records.go, with a number that the record never had. All other records are JSON.
//
// `protoc --decode_raw` prints a value. The numbers stand in records.go, once for writing and reading.
package record

import (
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// maxFieldNumber is the highest number that a field may have.
const maxFieldNumber = 31

// listItem is the number of every element in the message that holds a list.
const listItem = 1

// ErrDamaged reports a value that is not a record.
var ErrDamaged = errors.New("damaged record")

// Encode returns the value of a record. The client sessions of a session are left out: they are records of their own.
func Encode(record any) ([]byte, error) {
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

// Decode reads a record from its value into a pointer to it. The record does not refer to the value. ErrDamaged, or
// the error of encoding/json: the value is no such record.
func Decode(value []byte, record any) error {
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
		return ErrDamaged
	}
	return nil
}

// recordCodec writes or reads one record. A record's function in records.go names each field with its number; the
// method for the field's type then writes the field, or sets it from the value.
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

// enter begins a message inside the record: until leave, fields belong to it. A message whose fields are all zero is
// left out.
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
