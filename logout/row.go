package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The kinds of holders, as they stand in Row.Kind.
const (
	KindApplication = "application" // the session that a relying party made for itself
	KindTokens      = "tokens"      // the access tokens it was given
	KindOffline     = "offline"     // its offline access, which no logout ends unless asked to
)

// The channels of an application, as they stand in Row.Channels.
const (
	BackChannel  = "backchannel"
	FrontChannel = "frontchannel"
)

// The grades of evidence, as they stand in Row.Evidence.
const (
	EvidenceNone   = 0
	EvidenceAnswer = 3 // 200 or 204 to a logout token
)

// The states of a second telling, as they stand in Row.Late.
const (
	LatePending = "pending"
	LateDone    = "done"
	LateFailed  = "failed"
)

// rank orders trust states: a row only moves up.
func rank(s storage.TrustState) int {
	switch s {
	case storage.TrustTold:
		return 1
	case storage.TrustBounded:
		return 2
	case storage.TrustConfirmed:
		return 3
	case storage.TrustClosed:
		return 4
	default:
		return 0
	}
}

// Advance is what a row becomes when next is learned about it. Trust only moves towards closed, a bound only comes nearer, and a
// delivery that was done stays done.
func Advance(old, next storage.Row) storage.Row {
	row := old
	switch {
	case rank(next.Trust) > rank(old.Trust):
		row.Trust = next.Trust
		if !next.Until.IsZero() {
			row.Until, row.Basis = next.Until, next.Basis
		}
	case old.Trust == storage.TrustBounded && next.Trust == storage.TrustBounded && next.Until.Before(old.Until):
		row.Until, row.Basis = next.Until, next.Basis
	}
	if old.Told.IsZero() || rank(next.Trust) > rank(old.Trust) && !next.Told.IsZero() {
		row.Told = next.Told
	}
	row.Evidence = max(old.Evidence, next.Evidence)
	row.Attempts = max(old.Attempts, next.Attempts)
	if !next.Answer.At.Before(old.Answer.At) {
		row.Answer = next.Answer
	}
	if old.Delivery != storage.DeliveryDone && next.Delivery != "" {
		row.Delivery = next.Delivery
	}
	if old.Late != LateDone && next.Late != "" {
		row.Late = next.Late
	}
	row.Next = next.Next
	if row.Delivery != storage.DeliveryPending && row.Late != LatePending {
		row.Next = time.Time{}
	}
	return row
}

// RowAt is a row as it reads at that moment: what was bounded is closed once its bound has passed. Until and Basis stay, so that
// it still shows that it expired.
func RowAt(row storage.Row, now time.Time) storage.Row {
	if row.Trust == storage.TrustBounded && !now.Before(row.Until) {
		row.Trust = storage.TrustClosed
	}
	return row
}

// settled is the row's part of a delivery's outcome. d is the delivery as claimed.
func settled(d storage.Delivery, state storage.DeliveryState, next time.Time, a storage.Answer) func(storage.Row) storage.Row {
	return func(old storage.Row) storage.Row {
		old = RowAt(old, a.At) // what has expired by then is closed, and stays so
		row := old
		row.Answer, row.Next = a, next
		if d.Late {
			return Advance(old, settledLate(row, state, a))
		}
		row.Delivery, row.Attempts = state, d.Attempts
		if state == storage.DeliveryDone {
			row.Evidence, row.Told = EvidenceAnswer, a.At
			row.Trust = storage.TrustConfirmed
			// A relying party that was still creating its session when it answered has confirmed nothing: the second telling decides.
			if old.Late == LatePending || old.Late == LateFailed {
				row.Trust = storage.TrustTold
			}
		}
		return Advance(old, row)
	}
}

// settledLate is the outcome of a second telling. Its success counts for the first too: the relying party took a logout token.
func settledLate(row storage.Row, state storage.DeliveryState, a storage.Answer) storage.Row {
	switch state {
	case storage.DeliveryDone:
		row.Late, row.Delivery = LateDone, storage.DeliveryDone
		row.Trust, row.Evidence, row.Told = storage.TrustConfirmed, EvidenceAnswer, a.At
	case storage.DeliveryPending:
		row.Late = LatePending
	default:
		row.Late = LateFailed
	}
	return row
}

// FrameAsked notes that the browser was given the frames of a front-channel logout for those clients. Nothing is proved by it, nor would
// be by a frame's load event: it comes for errors and refusals too (Front-Channel Logout 1.0 knows no answer).
func FrameAsked(clients []string, at time.Time) func(*storage.Report) {
	return func(r *storage.Report) {
		for _, client := range clients {
			if row := r.Row(KindApplication, client); row != nil {
				old := RowAt(*row, at)
				told := old
				told.Trust, told.Told = storage.TrustTold, at
				*row = Advance(old, told)
			}
		}
	}
}

// Answered tells whether every application that is told directly has answered, or was given up. A second telling is not waited for.
func Answered(r storage.Report) bool {
	for _, row := range r.Rows {
		if row.Delivery == storage.DeliveryPending {
			return false
		}
	}
	return true
}
