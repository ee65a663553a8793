package tokens

import (
	"encoding/base64"
	"encoding/binary"
)

// pack writes texts one after the other, each after its length. A code travels in a URL, so every byte counts: what
// is itself the base64url of 32 bytes, as all our random values and hashes are, is written as those bytes.
func pack(texts ...string) (b []byte) {
	for _, text := range texts {
		if raw, ok := decode32Bytes(text); ok {
			b = append(binary.AppendUvarint(b, uint64(len(raw))<<1|1), raw...)
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(text))<<1), text...)
	}
	return b
}

// unpack reads what pack wrote into texts; false if it is not as many.
func unpack(b []byte, texts ...*string) bool {
	for _, text := range texts {
		n, read := binary.Uvarint(b)
		if read <= 0 || n>>1 > uint64(len(b)-read) {
			return false
		}
		b = b[read:]
		value := b[:n>>1]
		b = b[n>>1:]
		if *text = string(value); n&1 == 1 {
			*text = base64.RawURLEncoding.EncodeToString(value)
		}
	}
	return len(b) == 0
}

// strictBase64 takes one spelling of a value only: the one that unpack will write.
var strictBase64 = base64.RawURLEncoding.Strict()

func decode32Bytes(text string) ([]byte, bool) {
	if len(text) != strictBase64.EncodedLen(32) {
		return nil, false
	}
	raw, err := strictBase64.DecodeString(text)
	return raw, err == nil && len(raw) == 32 // it passes over line ends
}
