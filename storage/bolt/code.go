package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// use is what is kept of a code that was redeemed.
type use struct {
	until time.Time // the code's own end
	grant string    // what the code gave
}

// codeKey is where a code's use is kept. Both parts stand inside the code, so that other spellings have the same key,
// and the time keeps the codes of these minutes on the same pages.
func codeKey(code storage.Code) []byte { return timeKey(milli(code.Issued), shortKey(code.ID)...) }

// codeUse finds out whether a code was redeemed.
func (t *tx) codeUse(code storage.Code) (use, bool) { return readUse(t.get(codes, codeKey(code))) }

func readUse(value []byte) (use, bool) {
	if len(value) < timeLength {
		return use{}, false
	}
	return use{until: keyTime(value), grant: string(value[timeLength:])}, true
}

// spendCode records that a code was redeemed.
func (t *tx) spendCode(code storage.Code, u use) {
	t.put(codes, codeKey(code), timeKey(u.until, []byte(u.grant)...))
}
