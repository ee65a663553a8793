// Package record encodes the records of a store, for every backend that keeps them as bytes.
//
// The records that requests and terminations read most often are protobuf messages. Each field has a number. A writer
// leaves out fields with the zero value, and a reader skips numbers that it does not know. To add a field, add one line
// to records.go, with a number that the record never had. All other records are JSON.
//
// `protoc --decode_raw` prints a value. records.go lists the numbers; the same lines serve for writing and reading.
package record

import (
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// maxFieldNumber is the highest number that a field may have.
const maxFieldNumber = 31

// listItem is the field number of each element in the message of a list.
const listItem = 1

// ErrDamaged: the value is not a record.
var ErrDamaged = errors.New("damaged record")

// Encode returns the value of a record. It leaves out the client sessions of a session, which are separate records.
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

// Decode reads a value into the record that the argument record points to. The caller may change the value afterwards.
// It returns ErrDamaged or an error of encoding/json if the value is not such a record.
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

// recordCodec writes or reads one record. The record's method in records.go calls one method for each field, with the
// field's number. That method writes the field or, when reading, sets it from the value.
type recordCodec struct {
	out     []byte // writing: the value so far
	err     error  // writing: a field cannot be written
	reading bool
	damaged bool // reading: the value is not a record
	message      // reading: the current message
}

// message contains the positions of the fields in a message that is read.
type message struct {
	raw     []byte
	text    string                     // raw as a string; text fields are parts of it, without copying
	numbers [maxFieldNumber + 1]uint64 // of a varint: its value; of bytes: their position, see packPosition
	isBytes uint32                     // bit n: field n is bytes
	isSet   uint32                     // bit n: field n is present
}

// packPosition packs the position of a field's bytes into one number.
func packPosition(begin, end int) uint64 { return uint64(begin)<<32 | uint64(end) }

// unpackPosition reverses packPosition.
func unpackPosition(position uint64) (begin, end int) {
	return int(position >> 32), int(uint32(position))
}

// open makes value the current message.
func (f *recordCodec) open(value []byte) {
	f.raw = value
	f.message.text = string(value)
	f.scan()
}

// scan finds the fields of the current message. It skips fields whose numbers it does not know.
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
			f.isSet |= bit
			f.isBytes &^= bit
		case protowire.BytesType:
			content, _ := protowire.ConsumeBytes(rest)
			f.numbers[field] = packPosition(offset-len(content), offset)
			f.isSet |= bit
			f.isBytes |= bit
		}
	}
}

// find returns the position of a field's bytes: 0, 0 if the field is missing.
func (f *recordCodec) find(field protowire.Number) (begin, end int) {
	bit := uint32(1) << field
	if f.isSet&bit == 0 {
		return 0, 0
	}
	if f.isBytes&bit == 0 {
		f.damaged = true
		return 0, 0
	}
	return unpackPosition(f.numbers[field])
}

// enter begins a message inside the current one. The fields belong to it until leave. A message whose fields are all
// zero is left out.
func (f *recordCodec) enter(field protowire.Number) (outer message, body messageStart) {
	if !f.reading {
		return outer, f.beginMessage(field)
	}
	begin, end := f.find(field)
	return f.enterBytes(begin, end), body
}

// enterBytes makes the bytes from begin to end the current message, and returns the one that contains them.
func (f *recordCodec) enterBytes(begin, end int) (outer message) {
	outer = f.message
	f.message = message{raw: outer.raw[begin:end], text: outer.text[begin:end]}
	f.scan()
	return outer
}

// leave ends the message that enter began.
func (f *recordCodec) leave(outer message, body messageStart) {
	if f.reading {
		f.message = outer
		return
	}
	f.endMessage(body)
}

// messageStart is the beginning of a message in the value that is written.
type messageStart struct {
	tag     int // offset of its tag
	content int // offset of its fields
}

// beginMessage writes the tag of a message.
func (f *recordCodec) beginMessage(field protowire.Number) messageStart {
	tag := len(f.out)
	f.out = protowire.AppendTag(f.out, field, protowire.BytesType)
	return messageStart{tag: tag, content: len(f.out)}
}

// endMessage inserts the length before the fields that were written after beginMessage. If there are none, it removes
// the tag.
func (f *recordCodec) endMessage(body messageStart) {
	length := len(f.out) - body.content
	if length == 0 {
		f.out = f.out[:body.tag]
		return
	}
	f.insertLength(body.content, length)
}

// insertLength inserts the length of the last bytes of the value before them. They begin at the offset content.
func (f *recordCodec) insertLength(content, length int) {
	size := protowire.SizeVarint(uint64(length))
	for range size {
		f.out = append(f.out, 0)
	}
	copy(f.out[content+size:], f.out[content:content+length])
	protowire.AppendVarint(f.out[:content], uint64(length))
}
