package logout

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"pgregory.net/rapid"
)

func drawRow(t *rapid.T) storage.Row {
	row := storage.Row{
		Kind: KindApplication, Client: "rp",
		Trust:    rapid.SampledFrom([]storage.TrustState{storage.TrustUnknown, storage.TrustTold, storage.TrustBounded, storage.TrustConfirmed, storage.TrustClosed}).Draw(t, "trust"),
		Delivery: rapid.SampledFrom([]storage.DeliveryState{storage.DeliveryNone, storage.DeliveryPending, storage.DeliveryDone, storage.DeliveryFailed}).Draw(t, "delivery"),
		Evidence: rapid.IntRange(0, 5).Draw(t, "evidence"),
		Late:     rapid.SampledFrom([]string{"", LatePending, LateDone, LateFailed}).Draw(t, "late"),
	}
	if row.Trust == storage.TrustBounded {
		row.Until = t0.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "until")) * time.Second)
	}
	return row
}

func TestRowOnlyMovesTowardsClosed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := drawRow(t)
		for range 5 {
			next := Advance(row, drawRow(t))
			switch {
			case rank(next.Trust) < rank(row.Trust):
				t.Fatalf("%s became %s", row.Trust, next.Trust)
			case row.Trust == storage.TrustBounded && next.Trust == storage.TrustBounded && next.Until.After(row.Until):
				t.Fatalf("a bound moved from %v to %v", row.Until, next.Until)
			case next.Evidence < row.Evidence:
				t.Fatalf("evidence fell from %d to %d", row.Evidence, next.Evidence)
			case row.Delivery == storage.DeliveryDone && next.Delivery != storage.DeliveryDone, row.Late == LateDone && next.Late != LateDone:
				t.Fatalf("what was done is %s, %s", next.Delivery, next.Late)
			}
			row = next
		}
	})
}

func TestBoundedRowIsClosedOnceItsBoundHasPassed(t *testing.T) {
	row := storage.Row{Trust: storage.TrustBounded, Until: t0, Basis: BasisLease}
	if got := RowAt(row, t0.Add(-time.Millisecond)); got.Trust != storage.TrustBounded {
		t.Errorf("before: got %s, want bounded", got.Trust)
	}
	if got := RowAt(row, t0); got.Trust != storage.TrustClosed || got.Basis != BasisLease || !got.Until.Equal(t0) {
		t.Errorf("after: got %+v, want closed, and still by what and when", got)
	}
}

func TestFrameConfirmsNothing(t *testing.T) {
	r := storage.Report{Rows: []storage.Row{
		{Kind: KindApplication, Client: "front", Trust: storage.TrustUnknown, Channels: []string{FrontChannel}, Delivery: storage.DeliveryNone},
		{Kind: KindApplication, Client: "leased", Trust: storage.TrustBounded, Until: t0.Add(time.Hour), Delivery: storage.DeliveryNone},
	}}
	FrameAsked([]string{"front", "leased", "stranger"}, t0)(&r)
	if row := r.Rows[0]; row.Trust != storage.TrustTold || row.Evidence != EvidenceNone || !row.Told.Equal(t0) {
		t.Errorf("got %+v, want told", row)
	}
	if row := r.Rows[1]; row.Trust != storage.TrustBounded || !row.Told.Equal(t0) {
		t.Errorf("got %+v, want it still bounded", row)
	}
}

func TestLateJoinerIsConfirmedBySecondAnswerOnly(t *testing.T) {
	answer := storage.Answer{At: t0.Add(time.Second), Status: 200}
	fresh := storage.Row{Kind: KindApplication, Trust: storage.TrustUnknown, Delivery: storage.DeliveryPending, Late: LatePending, Channels: []string{BackChannel}}
	first := settled(storage.Delivery{Attempts: 1}, storage.DeliveryDone, time.Time{}, answer)(fresh)
	if first.Trust != storage.TrustTold || first.Delivery != storage.DeliveryDone || first.Evidence != EvidenceAnswer {
		t.Errorf("after the first answer: got %+v, want told", first)
	}
	answer.At = t0.Add(31 * time.Second)
	late := storage.Delivery{Attempts: 1, Late: true}
	if second := settled(late, storage.DeliveryDone, time.Time{}, answer)(first); second.Trust != storage.TrustConfirmed || second.Late != LateDone || !second.Told.Equal(answer.At) {
		t.Errorf("after the second answer: got %+v, want confirmed", second)
	}
	if failed := settled(late, storage.DeliveryFailed, time.Time{}, answer)(first); failed.Trust != storage.TrustTold || failed.Late != LateFailed {
		t.Errorf("second telling failed: got %+v, want told", failed)
	}
}

func TestFailedDeliveryLeavesTrustAsItWas(t *testing.T) {
	for _, trust := range []storage.TrustState{storage.TrustUnknown, storage.TrustBounded} {
		row := storage.Row{Trust: trust, Until: t0.Add(time.Hour), Delivery: storage.DeliveryPending}
		got := settled(storage.Delivery{Attempts: 3}, storage.DeliveryFailed, time.Time{}, storage.Answer{At: t0, Status: 404})(row)
		if got.Trust != trust || got.Delivery != storage.DeliveryFailed || got.Attempts != 3 || got.Answer.Status != 404 {
			t.Errorf("got %+v, want %s", got, trust)
		}
	}
}
