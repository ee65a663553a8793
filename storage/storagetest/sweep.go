package storagetest

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

var sweepTests = map[string]func(*world){
	"SweepRemovesExpiredRecordsInChunks": func(w *world) {
		w.mustClients("app")
		for range 25 {
			w.must(w.PutToken(w.ctx, storage.Token{
				Hash:    storage.HashOf(w.id("token")),
				Client:  "app",
				Issued:  t0,
				Expires: after(time.Minute),
			}))
			w.must(w.MarkUsed(w.ctx, w.id("jti"), t0, after(time.Minute), t0))
		}
		w.must(
			w.PutToken(
				w.ctx,
				storage.Token{Hash: storage.HashOf("keep"), Client: "app", Issued: t0, Expires: after(time.Hour)},
			),
		)
		n, err := w.Sweep(w.ctx, after(time.Minute-time.Millisecond), 1000)
		w.must(err)
		mustEqual(w, "swept before time", n, 0)
		total := 0
		for {
			n, err := w.Sweep(w.ctx, after(time.Minute), 10)
			w.must(err)
			if n > 10 {
				w.Fatalf("a chunk of at most 10 has %d", n)
			}
			if total += n; n == 0 {
				break
			}
		}
		mustEqual(w, "swept", total, 50)
		_, _, err = w.Token(w.ctx, storage.HashOf("keep"), after(time.Minute))
		w.must(err)
	},
	"CodesAndIDsThatSweepRemovedStayRefusedWhenTheClockIsSetBack": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app", "other")
		id := w.mustSession("s", "ann", t0)
		used, cutOffCode := w.mustRedeem(id, "ann", "app", t0), w.code(id, "ann", "other", t0)
		w.mustEnd(storage.Selector{Subject: "ann", Client: "other"}, t0, storage.Change{})
		w.must(w.MarkUsed(w.ctx, "jti", t0, after(time.Hour), t0))
		mustRefuse := func(at time.Time, codes ...storage.Code) {
			for _, code := range codes {
				sameCode := code
				sameCode.SID = w.id("sid")
				_, err := w.Redeem(
					w.ctx,
					sameCode,
					at,
					func(session storage.Session, _ storage.ClientSession) (storage.Issuance, error) {
						return storage.Issuance{Grant: storage.Grant{ID: w.id("grant"), Session: session.ID}}, nil
					},
				)
				w.mustBe(err, storage.ErrRevoked)
			}
			used, err := w.WasUsed(w.ctx, "jti", t0, after(time.Hour), at)
			w.must(err)
			mustEqual(w, "used", used, true)
			w.mustBe(w.MarkUsed(w.ctx, "jti", t0, after(time.Hour), at), storage.ErrAlreadyUsed)
		}
		sweep := func(at time.Time) {
			_, err := w.Sweep(w.ctx, at, 1000)
			w.must(err)
			w.restart()
		}
		sweep(after(1000 * time.Hour))
		mustRefuse(after(time.Second), used, cutOffCode)
		sweep(after(2 * time.Second)) // the sweep notices the step and does not wait until the clock catches up
		mustRefuse(after(3*time.Second), used, cutOffCode)
		next := w.mustRedeem(id, "ann", "app", after(3*time.Second))
		w.must(w.MarkUsed(w.ctx, "another jti", after(3*time.Second), after(time.Hour), after(3*time.Second)))
		jtiUsed, err := w.WasUsed(w.ctx, "one more", after(3*time.Second), after(time.Hour), after(3*time.Second))
		w.must(err)
		mustEqual(w, "used", jtiUsed, false)
		sweep(after(2 * time.Hour)) // and once more, not as far
		mustRefuse(after(4*time.Second), used, cutOffCode, next)
		sweep(after(5 * time.Second))
		mustRefuse(after(5*time.Second), used, cutOffCode, next)
		w.mustRedeem(id, "ann", "app", after(6*time.Second))
	},
	"SweepDoesNotRemoveExpiredSessions": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		w.mustRedeem(id, "ann", "app", t0)
		_, err := w.Sweep(w.ctx, after(1000*time.Hour), 1000)
		w.must(err)
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "sessions", n, 1)
		terminations := w.mustEnd(storage.Selector{Expired: true}, after(1000*time.Hour), storage.Change{})
		mustEqual(w, "client sessions ended", len(terminations[0].Session.ClientSessions), 1)
	},
	"SweepRemovesReportsAndTheirDeliveries": func(w *world) {
		w.mustReport(delivery("done", "h", 1), delivery("pending", "h", 2))
		d := w.mustClaim(after(time.Second), 1, nil, "done")[0]
		_, err := w.RecordOutcomes(
			w.ctx,
			[]storage.DeliveryOutcome{{ID: "done", Lease: d.Lease, State: storage.DeliveryDone}},
		)
		w.must(err)
		w.must(w.UpdateReport(w.ctx, "report", func(r *storage.Report) { r.DeleteAfter = after(40 * 24 * time.Hour) }))
		_, err = w.Sweep(w.ctx, after(31*24*time.Hour), 1000)
		w.must(err)
		_, err = w.Report(w.ctx, "report")
		w.must(err)
		_, err = w.Sweep(w.ctx, after(40*24*time.Hour), 1000)
		w.must(err)
		_, err = w.Report(w.ctx, "report")
		w.mustBe(err, storage.ErrNotFound)
		list, _, err := w.ListDeliveries(w.ctx, storage.DeliveryFilter{}, storage.Page{})
		w.must(err)
		mustEqual(w, "deliveries", len(list), 0)
		reports, _, err := w.ListReports(w.ctx, storage.ReportFilter{Subject: "ann"}, storage.Page{})
		w.must(err)
		mustEqual(w, "reports", len(reports), 0)
		next, err := w.NextDelivery(w.ctx)
		w.must(err)
		mustEqual(w, "next delivery", next, time.Time{})
	},
	"SweepRemovesExpiredGrantsAndTheirRefreshTokens": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeemOffline(id, "ann", "app", t0)
		_, err := w.Sweep(w.ctx, after(91*24*time.Hour), 1000)
		w.must(err)
		_, err = w.refresh("refresh of "+code.ID, "r2", "app", t0)
		w.mustBe(err, storage.ErrNotFound)
	},
	"SweepRemovesExpiredLinks": func(w *world) {
		w.mustUsers("ann")
		w.must(w.PutOneTimeLink(w.ctx, storage.OneTimeLink{
			Hash:    storage.HashOf("link"),
			Purpose: "reset",
			Subject: "ann",
			Expires: after(time.Hour),
		}, storage.Event{At: t0}))
		n, err := w.Sweep(w.ctx, after(time.Hour), 1000)
		w.must(err)
		mustEqual(w, "swept", n, 1)
		_, err = w.OneTimeLink(w.ctx, storage.HashOf("link"), t0)
		w.mustBe(err, storage.ErrNotFound)
	},
}
