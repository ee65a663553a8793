package bolt

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// takeback.go undoes writes that took effect although their callers got an error. Without it, four things would go
// wrong: a client that repeats a redemption would seem to reuse the code, a client that repeats a refresh after its
// grace would seem to reuse the refresh token, deliveries would stay leased although no dispatcher tries them, and
// attempts to sign in would count although they were refused.

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

// takeBackRefresh makes a refresh token current again. before is its grant before the exchange, after is the grant that
// the exchange stored. If the grant has changed since, another request got the successor, and it stays.
func (t *tx) takeBackRefresh(r storage.RefreshRequest, before, after storage.Grant) {
	g, ok := t.grant(before.ID)
	rotated := before.RefreshHash == r.Token && after.RefreshHash == r.NewToken
	unchanged := g.RefreshHash == after.RefreshHash && g.LastUsed.Equal(after.LastUsed)
	if !ok || !rotated || !unchanged {
		return
	}
	t.delete(refreshTokens, r.NewToken[:])
	g.RefreshHash, g.PreviousHash, g.RotatedAt = before.RefreshHash, before.PreviousHash, before.RotatedAt
	t.putGrant(g)
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
