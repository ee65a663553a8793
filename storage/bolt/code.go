package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// codeUse is the record of a redeemed code.
type codeUse struct {
	expiresAt time.Time // when the code expires
	grantID   string    // the grant that the redemption gave
}

// codeKey returns the key of a code's use. Its parts, the time of issue and the id, come from inside the sealed code:
// another encoding of the same code has the same key. The time comes first, so that recent codes are on the same
// pages.
func codeKey(code storage.Code) []byte {
	return timeKey(truncateToMillis(code.Issued), hashedKey(code.ID)...)
}

// findCodeUse finds the use of a code.
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
func (t *tx) markCodeUsed(code storage.Code, use codeUse) {
	t.put(usedCodes, codeKey(code), timeKey(use.expiresAt, []byte(use.grantID)...))
}
