package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// codeUse is the record of a redeemed code.
type codeUse struct {
	expiresAt time.Time // when the code expires
	grantID   string    // the grant that it gave
}

// codeKey is the key of a code's use. Both parts stand inside the code, so that other spellings of the code have the
// same key, and the time keeps recent codes on the same pages.
func codeKey(code storage.Code) []byte {
	return timeKey(truncateToMillis(code.Issued), hashedKey(code.ID)...)
}

// findCodeUse finds the use of a code that was redeemed.
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
