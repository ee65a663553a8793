package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var deliveryTests = map[string]func(*world){
	"DeliveriesDatedByAClockThatWasAheadAreDueAgain": func(w *world) {
		ahead := after(10 * 24 * time.Hour)
		first := delivery("first", "h", 0)
		retried := delivery("retried", "h", 0)
		inTime := delivery("in time", "h", 0)
		first.Created, first.NextAttempt = ahead, ahead
		inTime.NextAttempt = after(20 * time.Minute)
		w.mustReport(first, retried, inTime)
		d := w.mustClaim(ahead, 1, nil, "retried")[0]
		outcome := storage.DeliveryOutcome{
			ID:          "retried",
			Lease:       d.Lease,
			State:       storage.DeliveryPending,
			NextAttempt: ahead.Add(time.Minute),
			Pause:       time.Minute,
		}
		_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{outcome})
		w.must(err)
		at := after(time.Minute) // the clock was set back
		w.must(w.RescheduleDeliveries(w.ctx, at))
		w.restart()
		for id, want := range map[string]time.Time{
			"first":   at,
			"retried": at.Add(time.Minute),
			"in time": after(20 * time.Minute),
		} {
			d, err := w.Delivery(w.ctx, id)
			w.must(err)
			mustEqual(w, id+" is due", d.NextAttempt, want)
		}
		w.mustClaim(at, 10, nil, "first")
		w.mustClaim(at.Add(time.Minute), 10, nil, "first", "retried") // the lease of the first has run out
	},
	"FirstAttemptIsBroughtForwardAndNeverPutOff": func(w *world) {
		w.mustReport(delivery("d1", "h", 60), delivery("attempted", "h", 0))
		w.mustClaim(after(time.Second), 1, nil, "attempted")
		advance := func(id string, at time.Time) {
			w.Helper()
			w.must(w.AdvanceDelivery(w.ctx, id, at, func(e storage.ReportEntry) storage.ReportEntry {
				e.NextAttempt = at
				return e
			}))
		}
		advance("d1", after(10*time.Second))
		advance("d1", after(20*time.Second))
		advance("attempted", t0)
		d, err := w.Delivery(w.ctx, "d1")
		w.must(err)
		mustEqual(w, "next attempt", d.NextAttempt, after(10*time.Second))
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "next attempt in the report", r.Entries[0].NextAttempt, after(10*time.Second))
		w.mustClaim(after(9*time.Second), 10, nil)
		w.mustClaim(after(10*time.Second), 10, nil, "d1")
		err = w.AdvanceDelivery(w.ctx, "unknown", t0, nil)
		mustEqual(w, "error for an unknown delivery", errors.Is(err, storage.ErrNotFound), true)
	},
	"DueDeliveriesAreClaimedOldestFirst": func(w *world) {
		w.mustDeliver(
			delivery("b", "h1", 2),
			delivery("a", "h1", 1),
			delivery("c", "h2", 3),
			delivery("later", "h1", 60),
		)
		w.mustClaim(after(3*time.Second), 10, nil, "a", "b", "c")
		next, err := w.NextDelivery(w.ctx)
		w.must(err)
		mustEqual(w, "next: the first lease runs out", next, after(33*time.Second))
		w.mustClaim(after(3*time.Second), 10, nil)
		list := w.mustClaim(after(33*time.Second), 2, nil, "a", "b")
		mustEqual(w, "lease and attempts", [2]int{int(list[0].Lease), list[0].Attempts}, [2]int{2, 2})
	},
	"HealthOfAHostSurvivesARestartUntilItIsOld": func(w *world) {
		w.mustReport(delivery("d1", "h", 1), delivery("d2", "other", 1))
		list := w.mustClaim(after(time.Second), 10, nil, "d1", "d2")
		record := func(i int, health storage.HostHealth) {
			w.Helper()
			o := storage.DeliveryOutcome{
				ID:          list[i].ID,
				Lease:       list[i].Lease,
				State:       storage.DeliveryDone,
				HostHealth:  &health,
				UpdateEntry: func(e storage.ReportEntry) storage.ReportEntry { return e },
			}
			_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{o})
			w.must(err)
		}
		quick, slow := storage.HostHealth{
			Host: "h",
			At:   after(time.Second),
		}, storage.HostHealth{
			Host: "other",
			Slow: true,
			At:   after(time.Hour),
		}
		record(0, quick)
		record(1, slow)
		w.restart()
		known, err := w.ListHostHealth(w.ctx)
		w.must(err)
		mustEqual(w, "known hosts", known, []storage.HostHealth{quick, slow})
		_, err = w.Sweep(w.ctx, quick.At.Add(storage.HostHealthLifetime), 100)
		w.must(err)
		known, err = w.ListHostHealth(w.ctx)
		w.must(err)
		mustEqual(w, "known hosts a month later", known, []storage.HostHealth{slow})
	},
	"DeliveryThatTheFilterRefusesIsSkipped": func(w *world) {
		w.mustDeliver(
			delivery("a1", "a", 1),
			delivery("a2", "a", 2),
			delivery("a3", "a", 3),
			delivery("b1", "b", 4),
			delivery("c1", "c", 5),
		)
		atMostTwoOfA := func() storage.ClaimFilter {
			taken := map[string]int{}
			return func(host string) bool {
				if host == "b" || taken[host] == 2 {
					return false
				}
				taken[host]++
				return true
			}
		}
		w.mustClaim(after(time.Minute), 10, atMostTwoOfA, "a1", "a2", "c1")
	},
	"DeliveryIsClaimedByOneOfMany": func(w *world) {
		var all []storage.Delivery
		for i := range 60 {
			all = append(all, delivery(fmt.Sprintf("d%02d", i), "h", i%7))
		}
		w.mustDeliver(all...)
		var mu sync.Mutex
		seen := map[string]int{}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for {
					list, err := w.ClaimDeliveries(w.ctx, after(time.Minute), 30*time.Second, 4, nil)
					if err != nil || len(list) == 0 {
						if err != nil {
							w.Error(err)
						}
						return
					}
					mu.Lock()
					for _, d := range list {
						seen[d.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		mustEqual(w, "claimed", len(seen), 60)
		for id, n := range seen {
			mustEqual(w, "claims of "+id, n, 1)
		}
	},
	"OutcomeIsRecordedWithItsReportEntry": func(w *world) {
		w.mustReport(delivery("d1", "h", 1), delivery("d2", "h", 1), delivery("d3", "h", 1))
		list := w.mustClaim(after(time.Second), 10, nil, "d1", "d2", "d3")
		type entryUpdate = func(storage.ReportEntry) storage.ReportEntry
		updateEntry := func(state storage.DeliveryState, trust storage.TrustState) entryUpdate {
			return func(r storage.ReportEntry) storage.ReportEntry {
				r.Delivery, r.Trust, r.Attempts = state, trust, r.Attempts+1
				return r
			}
		}
		stale, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
			{
				ID:          "d1",
				Lease:       list[0].Lease,
				State:       storage.DeliveryDone,
				Answer:      storage.Answer{At: after(2 * time.Second), Status: 200},
				UpdateEntry: updateEntry(storage.DeliveryDone, storage.TrustConfirmed),
			},
			{
				ID:          "d2",
				Lease:       list[1].Lease,
				State:       storage.DeliveryPending,
				NextAttempt: after(5 * time.Second),
				Answer:      storage.Answer{Class: "refused"},
				UpdateEntry: updateEntry(storage.DeliveryPending, storage.TrustUnknown),
			},
			{
				ID:          "d3",
				Lease:       list[2].Lease,
				State:       storage.DeliveryFailed,
				Refusals:    3,
				Answer:      storage.Answer{Status: 400},
				UpdateEntry: updateEntry(storage.DeliveryFailed, storage.TrustUnknown),
			},
		})
		w.must(err)
		mustEqual(w, "stale", len(stale), 0)
		w.restart()
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		var states []storage.DeliveryState
		for _, entry := range r.Entries {
			states = append(states, entry.Delivery)
			mustEqual(w, "attempts", entry.Attempts, 1)
		}
		mustEqual(
			w,
			"entries",
			states,
			[]storage.DeliveryState{storage.DeliveryDone, storage.DeliveryPending, storage.DeliveryFailed},
		)
		byState, oldest, err := w.CountDeliveries(w.ctx)
		w.must(err)
		mustEqual(w, "count", byState, map[storage.DeliveryState]int{
			storage.DeliveryDone:    1,
			storage.DeliveryPending: 1,
			storage.DeliveryFailed:  1,
		})
		mustEqual(w, "oldest", oldest, after(time.Second))
		w.mustClaim(after(4*time.Second), 10, nil)
		w.mustClaim(after(5*time.Second), 10, nil, "d2")
		d, err := w.Delivery(w.ctx, "d3")
		w.must(err)
		mustEqual(w, "answer", [2]int{d.Answer.Status, d.Refusals}, [2]int{400, 3})
		_, err = w.Delivery(w.ctx, "none")
		w.mustBe(err, storage.ErrNotFound)
	},
	"OutcomeHasItsAuditLine": func(w *world) {
		w.mustReport(delivery("d1", "h", 1), delivery("d2", "h", 1))
		list := w.mustClaim(after(time.Second), 10, nil, "d1", "d2")
		line := &storage.Event{
			At:     after(2 * time.Second),
			Kind:   "delivery.done",
			By:     "system",
			Detail: map[string]string{"jti": "j"},
		}
		answer := storage.Answer{At: after(2 * time.Second), JTI: "j", Status: 200}
		for range 2 { // the second time the leases are lost
			_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
				{ID: "d1", Lease: list[0].Lease, State: storage.DeliveryDone, Answer: answer, Event: line},
				{ID: "d2", Lease: list[1].Lease, State: storage.DeliveryPending, NextAttempt: after(time.Hour)},
			})
			w.must(err)
		}
		w.must(w.CancelDelivery(w.ctx, "d2", nil, storage.Event{At: t0, Kind: "delivery.cancelled", By: "admin"}))
		d, err := w.Delivery(w.ctx, "d1")
		w.must(err)
		mustEqual(w, "answer", d.Answer, answer)
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		lines := w.events(storage.EventFilter{Kind: "delivery."})
		mustEqual(w, "lines", len(lines), 2)
		mustEqual(w, "detail", lines[0].Detail, line.Detail)
		for i, e := range lines {
			mustEqual(
				w,
				"line",
				[6]string{e.Kind, e.Client, e.Subject, e.Session, e.Cause, string(e.Reason)},
				[6]string{
					[]string{"delivery.done", "delivery.cancelled"}[i],
					[]string{"app d1", "app d2"}[i],
					"ann",
					r.SessionHash,
					r.Cause.ID,
					string(r.Cause.Reason),
				},
			)
		}
	},
	"OutcomeUnderALostLeaseChangesNothing": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		first := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		second := w.mustClaim(after(31*time.Second), 1, nil, "d")[0]
		record := func(lease uint64, state storage.DeliveryState) []string {
			stale, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
				{ID: "gone", Lease: 1, State: storage.DeliveryDone},
				{
					ID:          "d",
					Lease:       lease,
					State:       state,
					NextAttempt: after(time.Hour),
					UpdateEntry: func(r storage.ReportEntry) storage.ReportEntry { r.Delivery = state; return r },
				},
			})
			w.must(err)
			return stale
		}
		mustEqual(w, "stale", record(first.Lease, storage.DeliveryFailed), []string{"gone", "d"})
		d, err := w.Delivery(w.ctx, "d")
		w.must(err)
		mustEqual(w, "delivery", d, second)
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "entry", r.Entries[0].Delivery, storage.DeliveryPending)
		mustEqual(w, "stale", record(second.Lease, storage.DeliveryDone), []string{"gone"})
		mustEqual(w, "stale once settled", record(second.Lease, storage.DeliveryPending), []string{"gone", "d"})
		w.mustClaim(after(24*time.Hour), 1, nil)
	},
	"LateOutcomeCountsUntilTheDeliveryIsClaimedAgain": func(w *world) {
		w.mustDeliver(delivery("d", "h", 1))
		d := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		stale, err := w.RecordOutcomes(
			w.ctx,
			[]storage.DeliveryOutcome{{ID: "d", Lease: d.Lease, State: storage.DeliveryDone}},
		)
		w.must(err)
		mustEqual(w, "stale", len(stale), 0)
	},
	"RetryMakesAFailedDeliveryDueAgain": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		setPending := func(r storage.ReportEntry) storage.ReportEntry { r.Delivery = storage.DeliveryPending; return r }
		line := storage.Event{At: t0, Kind: "delivery.retried", By: "admin"}
		d := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		w.must(w.RetryDelivery(w.ctx, "d", after(2*time.Second), setPending, line))
		stale, err := w.RecordOutcomes(
			w.ctx,
			[]storage.DeliveryOutcome{{ID: "d", Lease: d.Lease, State: storage.DeliveryFailed}},
		)
		w.must(err)
		mustEqual(w, "stale after a retry by hand", stale, []string{"d"})
		d = w.mustClaim(after(2*time.Second), 1, nil, "d")[0]
		_, err = w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
			{
				ID:       "d",
				Lease:    d.Lease,
				State:    storage.DeliveryFailed,
				Refusals: 3,
				UpdateEntry: func(r storage.ReportEntry) storage.ReportEntry {
					r.Delivery = storage.DeliveryFailed
					return r
				},
			},
		})
		w.must(err)
		at := after(48 * time.Hour)
		w.must(w.RetryDelivery(w.ctx, "d", at, setPending, line))
		d = w.mustClaim(at, 1, nil, "d")[0]
		mustEqual(w, "gives up", d.GiveUpAt, at.Add(24*time.Hour))
		mustEqual(w, "refused so far", d.Refusals, 0)
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "entry", r.Entries[0].Delivery, storage.DeliveryPending)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "delivery.retried"})), 2)
		_, err = w.RecordOutcomes(
			w.ctx,
			[]storage.DeliveryOutcome{{ID: "d", Lease: d.Lease, State: storage.DeliveryDone}},
		)
		w.must(err)
		w.mustBe(w.RetryDelivery(w.ctx, "d", at, setPending, line), storage.ErrAlreadyUsed)
		w.mustBe(w.RetryDelivery(w.ctx, "none", at, setPending, line), storage.ErrNotFound)
	},
	"CancelledDeliveryIsNeverClaimed": func(w *world) {
		w.mustReport(delivery("d", "h", 1), delivery("e", "h", 1))
		cancel := func(r storage.ReportEntry) storage.ReportEntry { r.Delivery = storage.DeliveryCancelled; return r }
		leased := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		w.must(w.CancelDelivery(w.ctx, "d", cancel, storage.Event{At: t0, Kind: "delivery.cancelled"}))
		stale, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
			{ID: "d", Lease: leased.Lease, State: storage.DeliveryPending, NextAttempt: after(time.Second)},
		})
		w.must(err)
		mustEqual(w, "stale", stale, []string{"d"})
		w.mustClaim(after(time.Hour), 10, nil, "e")
		w.mustBe(w.CancelDelivery(w.ctx, "d", cancel, storage.Event{}), storage.ErrAlreadyUsed)
		w.mustBe(w.CancelDelivery(w.ctx, "none", cancel, storage.Event{}), storage.ErrNotFound)
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "entry", r.Entries[0].Delivery, storage.DeliveryCancelled)
	},
	"CancelledFailedDeliveryNoLongerCountsAsFailed": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		leased := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		_, err := w.RecordOutcomes(
			w.ctx,
			[]storage.DeliveryOutcome{{ID: "d", Lease: leased.Lease, State: storage.DeliveryFailed}},
		)
		w.must(err)
		w.must(w.CancelDelivery(w.ctx, "d", nil, storage.Event{At: t0, Kind: "delivery.cancelled"}))
		byState, _, err := w.CountDeliveries(w.ctx)
		w.must(err)
		mustEqual(w, "failed", byState[storage.DeliveryFailed], 0)
		w.mustClaim(after(48*time.Hour), 10, nil)
	},
	"ReleasedClaimCountsNoAttempt": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		leased := w.mustClaim(after(time.Second), 1, nil, "d")[0]
		_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
			{
				ID:          "d",
				Lease:       leased.Lease,
				State:       storage.DeliveryPending,
				NextAttempt: after(time.Second),
				NotSent:     true,
			},
		})
		w.must(err)
		mustEqual(w, "attempts", w.mustClaim(after(2*time.Second), 1, nil, "d")[0].Attempts, 1)
	},
	"CountOfDeliveriesAgreesWithTheirListing": func(w *world) {
		mustAgree := func() {
			byState, oldest, err := w.CountDeliveries(w.ctx)
			w.must(err)
			listed, first := map[storage.DeliveryState]int{}, time.Time{}
			for _, d := range pages(w, func(p storage.Page) ([]storage.Delivery, string, error) {
				return w.ListDeliveries(w.ctx, storage.DeliveryFilter{}, p)
			}) {
				if listed[d.State]++; d.State == storage.DeliveryPending {
					first = d.Created // the listing ends with the oldest
				}
			}
			mustEqual(w, "count", byState, listed)
			mustEqual(w, "oldest", oldest, first)
		}
		mustAgree()
		list := []storage.Delivery{
			delivery("1", "h", 1),
			delivery("2", "h", 2),
			delivery("3", "h", 3),
			delivery("4", "h", 4),
		}
		w.mustReport(list...)
		mustAgree()
		states := map[string]storage.DeliveryState{
			"1": storage.DeliveryDone,
			"2": storage.DeliveryFailed,
			"3": storage.DeliveryPending,
		}
		for _, d := range w.mustClaim(after(3*time.Second), 3, nil, "1", "2", "3") {
			_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
				{ID: d.ID, Lease: d.Lease, State: states[d.ID], NextAttempt: after(time.Hour)},
			})
			w.must(err)
			mustAgree()
		}
		w.must(w.RetryDelivery(w.ctx, "2", after(time.Minute), nil, storage.Event{}))
		mustAgree()
		w.must(w.CancelDelivery(w.ctx, "3", nil, storage.Event{}))
		w.restart()
		mustAgree()
		for range 2 {
			_, err := w.Sweep(w.ctx, after(365*24*time.Hour), 100)
			w.must(err)
			mustAgree()
		}
		byState, _, err := w.CountDeliveries(w.ctx)
		w.must(err)
		mustEqual(w, "left", len(byState), 0)
	},
	"DeliveriesAreListedNewestFirstAcrossStates": func(w *world) {
		w.mustReport(
			delivery("1", "h", 1),
			delivery("2", "h", 2),
			delivery("3", "h", 3),
			delivery("4", "h", 4),
			delivery("5", "h", 5),
		)
		states := map[string]storage.DeliveryState{
			"1": storage.DeliveryDone,
			"2": storage.DeliveryFailed,
			"3": storage.DeliveryDone,
		}
		for _, d := range w.mustClaim(after(4*time.Second), 3, nil, "1", "2", "3") {
			_, err := w.RecordOutcomes(w.ctx, []storage.DeliveryOutcome{
				{
					ID:    d.ID,
					Lease: d.Lease,
					State: states[d.ID],
				},
			})
			w.must(err)
		}
		for _, c := range []struct {
			f    storage.DeliveryFilter
			want []string
		}{
			{storage.DeliveryFilter{}, []string{"5", "4", "3", "2", "1"}},
			{storage.DeliveryFilter{State: storage.DeliveryDone}, []string{"3", "1"}},
			{storage.DeliveryFilter{State: storage.DeliveryPending}, []string{"5", "4"}},
			{storage.DeliveryFilter{Client: "app 2"}, []string{"2"}},
			{storage.DeliveryFilter{Report: "report"}, []string{"5", "4", "3", "2", "1"}},
			{storage.DeliveryFilter{Report: "other"}, nil},
		} {
			var ids []string
			list := func(p storage.Page) ([]storage.Delivery, string, error) { return w.ListDeliveries(w.ctx, c.f, p) }
			for _, d := range pages(w, list) {
				ids = append(ids, d.ID)
			}
			mustEqual(w, fmt.Sprintf("%+v", c.f), ids, c.want)
		}
	},
}
