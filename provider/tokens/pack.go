package tokens

import (
	"encoding/base64"
	"encoding/binary"
)

// rawSize is the size of random values and hashes, in bytes.
const rawSize = 32

// pack encodes texts one after the other, each preceded by a header. The header is the length times two. To keep codes
// short, pack decodes a text that is the base64url of rawSize bytes, as random values and hashes are, and adds one to
// its header.
func pack(texts ...string) (b []byte) {
	for _, text := range texts {
		if raw, ok := decodeRaw(text); ok {
			b = append(binary.AppendUvarint(b, uint64(len(raw))<<1|1), raw...)
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(text))<<1), text...)
	}
	return b
}

// unpack decodes the result of pack into texts. It returns false if b does not contain exactly that many texts.
func unpack(b []byte, texts ...*string) bool {
	for _, text := range texts {
		header, headerSize := binary.Uvarint(b)
		if headerSize <= 0 {
			return false
		}
		b = b[headerSize:]
		length := header >> 1
		isRaw := header&1 == 1
		if length > uint64(len(b)) {
			return false
		}
		value := b[:length]
		b = b[length:]
		*text = string(value)
		if isRaw {
			*text = base64.RawURLEncoding.EncodeToString(value)
		}
	}
	return len(b) == 0
}

// strictBase64 accepts only the text that unpack produces for a value.
var strictBase64 = base64.RawURLEncoding.Strict()

// decodeRaw decodes a text that is the base64url of rawSize bytes.
func decodeRaw(text string) (raw []byte, ok bool) {
	if len(text) != strictBase64.EncodedLen(rawSize) {
		return nil, false
	}
	raw, err := strictBase64.DecodeString(text)
	isComplete := len(raw) == rawSize // the decoder skips line ends, so raw may be shorter
	return raw, err == nil && isComplete
}
