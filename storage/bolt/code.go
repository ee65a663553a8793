package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// use is what is kept of a code that was redeemed.
type use struct {
	until time.Time // the code's own end
	noted bool      // a second use stands in the audit trail
	grant string    // what the code gave
}

// useLength is the length of a use without its grant.
const useLength = timeLength + 1

// codeKey is where a code's use is kept. Both parts stand inside the code, so that other spellings have the same key,
// and the time keeps the codes of these minutes on the same pages.
func codeKey(code storage.Code) []byte { return timeKey(milli(code.Issued), shortKey(code.ID)...) }

// codeUse finds out whether a code was redeemed.
func (t *tx) codeUse(code storage.Code) (use, bool) { return readUse(t.get(codes, codeKey(code))) }

func readUse(value []byte) (use, bool) {
	if len(value) < useLength {
		return use{}, false
	}
	return use{until: keyTime(value), noted: value[timeLength] == 1, grant: string(value[useLength:])}, true
}

// spendCode records that a code was redeemed.
func (t *tx) spendCode(code storage.Code, u use) {
	noted := byte(0)
	if u.noted {
		noted = 1
	}
	t.put(codes, codeKey(code), append(timeKey(u.until, noted), u.grant...))
}
