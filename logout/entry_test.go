package logout

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"pgregory.net/rapid"
)

func drawEntry(t *rapid.T) storage.ReportEntry {
	entry := storage.ReportEntry{
		Kind:   KindClientSession,
		Client: "rp",
		Trust: rapid.SampledFrom([]storage.TrustState{
			storage.TrustUnknown,
			storage.TrustNotified,
			storage.TrustExpiring,
			storage.TrustConfirmed,
			storage.TrustRevoked,
		}).
			Draw(t, "trust"),
		Delivery: rapid.SampledFrom([]storage.DeliveryState{
			storage.DeliveryNone,
			storage.DeliveryPending,
			storage.DeliveryDone,
			storage.DeliveryFailed,
		}).
			Draw(t, "delivery"),
		Renotification: rapid.SampledFrom([]string{
			"",
			RenotificationPending,
			RenotificationDone,
			RenotificationFailed,
		}).
			Draw(t, "late"),
	}
	if entry.Trust == storage.TrustExpiring {
		entry.ExpiresAt = t0.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "until")) * time.Second)
	}
	return entry
}

func TestEntryOnlyMovesTowardsRevoked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entry := drawEntry(t)
		for range 5 {
			next := MergeEntry(entry, drawEntry(t))
			switch {
			case trustRank(next.Trust) < trustRank(entry.Trust):
				t.Fatalf("%s became %s", entry.Trust, next.Trust)
			case entry.Trust == storage.TrustExpiring && next.Trust == storage.TrustExpiring && next.ExpiresAt.After(entry.ExpiresAt):
				t.Fatalf("a bound moved from %v to %v", entry.ExpiresAt, next.ExpiresAt)
			case entry.Delivery == storage.DeliveryDone && next.Delivery != storage.DeliveryDone,
				entry.Renotification == RenotificationDone && next.Renotification != RenotificationDone:
				t.Fatalf("what was done is %s, %s", next.Delivery, next.Renotification)
			}
			entry = next
		}
	})
}

func TestExpiringEntryIsRevokedAfterItsBound(t *testing.T) {
	entry := storage.ReportEntry{Trust: storage.TrustExpiring, ExpiresAt: t0, BoundBy: BoundBySessionExpiry}
	if got := EntryAt(entry, t0.Add(-time.Millisecond)); got.Trust != storage.TrustExpiring {
		t.Errorf("before: got %s, want bounded", got.Trust)
	}
	if got := EntryAt(entry, t0); got.Trust != storage.TrustRevoked || got.BoundBy != BoundBySessionExpiry ||
		!got.ExpiresAt.Equal(t0) {
		t.Errorf("after: got %+v, want closed, and still by what and when", got)
	}
}

func TestFrameConfirmsNothing(t *testing.T) {
	r := storage.Report{Entries: []storage.ReportEntry{
		{
			Kind:     KindClientSession,
			Client:   "front",
			Trust:    storage.TrustUnknown,
			Channels: []string{FrontChannel},
			Delivery: storage.DeliveryNone,
		},
		{
			Kind:      KindClientSession,
			Client:    "leased",
			Trust:     storage.TrustExpiring,
			ExpiresAt: t0.Add(time.Hour),
			Delivery:  storage.DeliveryNone,
		},
	}}
	MarkFrontChannelNotified([]string{"front", "leased", "stranger"}, t0)(&r)
	if entry := r.Entries[0]; entry.Trust != storage.TrustNotified || !entry.NotifiedAt.Equal(t0) {
		t.Errorf("got %+v, want notified", entry)
	}
	if entry := r.Entries[1]; entry.Trust != storage.TrustExpiring || !entry.NotifiedAt.Equal(t0) {
		t.Errorf("got %+v, want it still bounded", entry)
	}
}

func TestRecentlyJoinedClientIsConfirmedBySecondAnswerOnly(t *testing.T) {
	answer := storage.Answer{At: t0.Add(time.Second), Status: 200}
	fresh := storage.ReportEntry{
		Kind:           KindClientSession,
		Trust:          storage.TrustUnknown,
		Delivery:       storage.DeliveryPending,
		Renotification: RenotificationPending,
		Channels:       []string{BackChannel},
	}
	first := entryUpdater(storage.Delivery{Attempts: 1}, storage.DeliveryDone, time.Time{}, answer)(fresh)
	if first.Trust != storage.TrustNotified || first.Delivery != storage.DeliveryDone {
		t.Errorf("after the first answer: got %+v, want notified", first)
	}
	answer.At = t0.Add(31 * time.Second)
	late := storage.Delivery{Attempts: 1, Renotification: true}
	if second := entryUpdater(late, storage.DeliveryDone, time.Time{}, answer)(first); second.Trust != storage.TrustConfirmed ||
		second.Renotification != RenotificationDone ||
		!second.NotifiedAt.Equal(answer.At) {
		t.Errorf("after the second answer: got %+v, want confirmed", second)
	}
	if failed := entryUpdater(late, storage.DeliveryFailed, time.Time{}, answer)(first); failed.Trust != storage.TrustNotified ||
		failed.Renotification != RenotificationFailed {
		t.Errorf("after a failed re-notification: got %+v, want notified", failed)
	}
}

func TestFailedDeliveryLeavesTrustAsItWas(t *testing.T) {
	for _, trust := range []storage.TrustState{storage.TrustUnknown, storage.TrustExpiring} {
		entry := storage.ReportEntry{Trust: trust, ExpiresAt: t0.Add(time.Hour), Delivery: storage.DeliveryPending}
		got := entryUpdater(
			storage.Delivery{Attempts: 3},
			storage.DeliveryFailed,
			time.Time{},
			storage.Answer{At: t0, Status: 404},
		)(entry)
		if got.Trust != trust || got.Delivery != storage.DeliveryFailed || got.Attempts != 3 ||
			got.LastAnswer.Status != 404 {
			t.Errorf("got %+v, want %s", got, trust)
		}
	}
}

func TestUntrustedAnswerConfirmsNothing(t *testing.T) {
	for _, renotification := range []bool{false, true} {
		for _, trust := range []storage.TrustState{storage.TrustUnknown, storage.TrustExpiring} {
			d := storage.Delivery{Attempts: 1, Untrusted: true, Renotification: renotification}
			old := storage.ReportEntry{
				Kind:      KindClientSession,
				Trust:     trust,
				ExpiresAt: t0.Add(time.Hour),
				Delivery:  storage.DeliveryPending,
			}
			got := entryUpdater(d, storage.DeliveryDone, time.Time{}, storage.Answer{At: t0, Status: 200})(old)
			if got.Trust != trust || got.Delivery != storage.DeliveryDone {
				t.Errorf("got %s, delivery %s, want it %s and done", got.Trust, got.Delivery, trust)
			}
		}
	}
	withFixture(t, func(t *testing.T, w *fixture) {
		w.client("rp", storage.Metadata{Confirmations: "untrusted"})
		id := w.session("rp")
		w.waitRenotifyDelay()
		d := w.dispatcher()
		defer run(d.Run)()
		o := w.end(w.terminator(d), storage.Selector{Sessions: []storage.SessionID{id}})
		time.Sleep(time.Minute)
		if entry := w.entry(o, "rp"); entry.Trust != storage.TrustUnknown || entry.Delivery != storage.DeliveryDone {
			t.Errorf("got %+v, want it unknown although the client answered 200", entry)
		}
	})
}
