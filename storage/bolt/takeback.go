package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// takeback.go undoes writes that took effect although their callers got an error. Otherwise a repeated redemption
// would count as the reuse of a code, deliveries would be leased although no dispatcher has them, and attempts to
// sign in would be counted that were never made.

// takeBackRedemption makes a code unused again and ends what its redemption gave.
func (t *tx) takeBackRedemption(code storage.Code, r storage.RedeemResult) {
	used, ok := t.findCodeUse(code)
	if !ok || r.Reused || used.grantID != r.Grant.ID {
		return
	}
	if g, ok := t.grant(used.grantID); ok {
		t.removeGrant(g)
	}
	t.delete(usedCodes, codeKey(code))
}

// takeBackClaims makes claimed deliveries due again and does not count the attempts.
func (t *tx) takeBackClaims(claimed []storage.Delivery) {
	for _, claim := range claimed {
		d, ok := t.delivery(claim.ID)
		if !ok || d.Lease != claim.Lease || d.LeasedUntil.IsZero() {
			continue
		}
		before := d
		d.Attempts--
		d.LeasedUntil = time.Time{}
		t.putDelivery(d, &before)
	}
}

// takeBackAttempts lowers counters by as much as they were raised.
func (t *tx) takeBackAttempts(raised []raisedCounter) {
	for _, r := range raised {
		c := readCounter(t.get(attemptCounters, r.slot[:]))
		if c.Count >= r.by {
			c.Count -= r.by
			t.putCounter(r.slot, c)
		}
	}
}
