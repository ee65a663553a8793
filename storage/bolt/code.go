package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// codeUse is what is kept of a code that was redeemed.
type codeUse struct {
	expiresAt time.Time // the code's own end
	grantID   string    // what the code gave
}

// codeKey is where a code's use is kept. Both parts stand inside the code, so that other spellings have the same key,
// and the time keeps the codes of these minutes on the same pages.
func codeKey(code storage.Code) []byte {
	return timeKey(truncateToMillis(code.Issued), hashedKey(code.ID)...)
}

// findCodeUse finds out whether a code was redeemed.
func (t *tx) findCodeUse(code storage.Code) (codeUse, bool) {
	return parseCodeUse(t.get(usedCodes, codeKey(code)))
}

func parseCodeUse(value []byte) (codeUse, bool) {
	if len(value) < timeKeyLength {
		return codeUse{}, false
	}
	return codeUse{expiresAt: keyTime(value), grantID: string(value[timeKeyLength:])}, true
}

// markCodeUsed records that a code was redeemed.
func (t *tx) markCodeUsed(code storage.Code, codeUse codeUse) {
	t.put(usedCodes, codeKey(code), timeKey(codeUse.expiresAt, []byte(codeUse.grantID)...))
}
