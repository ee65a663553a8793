package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// takeback.go undoes writes that took effect although their callers got an error. Without it, three things would go
// wrong: a client that repeats a redemption would seem to reuse the code, deliveries would stay leased although no
// dispatcher tries them, and attempts to sign in would count although they were refused.

// takeBackRedemption makes a code unused again and removes the grant that its redemption gave.
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

// takeBackAttempts lowers the counters by the amounts by which they were raised.
func (t *tx) takeBackAttempts(raised []raisedCounter) {
	for _, r := range raised {
		c := readCounter(t.get(attemptCounters, r.slot[:]))
		if c.Count >= r.by {
			c.Count -= r.by
			t.putCounter(r.slot, c)
		}
	}
}
