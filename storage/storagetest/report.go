package storagetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var reportTests = map[string]func(*world){
	"ReportsAreListedNewestFirst": func(w *world) {
		w.mustUsers("ann", "bob")
		entry := func(kind, client string) []storage.ReportEntry {
			return []storage.ReportEntry{{Kind: kind, Client: client}}
		}
		for i, r := range []storage.Report{
			{Subject: "ann", Cause: storage.Cause{ID: "one"}, Entries: entry("client_session", "app")},
			{Subject: "bob", Cause: storage.Cause{ID: "one"}},
			{Subject: "ann", Cause: storage.Cause{ID: "two"}, Entries: entry("access_tokens", "other")},
			{Subject: "ann", Cause: storage.Cause{ID: "one"}, Entries: entry("offline_access", "app")},
		} {
			r.ID, r.EndedAt, r.DeleteAfter = fmt.Sprint(i), after(time.Duration(i)*time.Second), after(time.Hour)
			w.ids["round"]++
			w.mustPlan(storage.Plan{Report: &r})
		}
		for _, c := range []struct {
			f    storage.ReportFilter
			want []string
		}{
			{storage.ReportFilter{}, []string{"3", "2", "1", "0"}},
			{storage.ReportFilter{Subject: "ann"}, []string{"3", "2", "0"}},
			{storage.ReportFilter{Cause: "one"}, []string{"3", "1", "0"}},
			{storage.ReportFilter{Client: "app"}, []string{"3", "0"}},
			{storage.ReportFilter{Subject: "ann", Cause: "two", Client: "other"}, []string{"2"}},
			{storage.ReportFilter{Subject: "nobody"}, nil},
			{storage.ReportFilter{Cause: "one", At: after(3 * time.Second)}, []string{"3"}},
			{storage.ReportFilter{Subject: "ann", At: after(2 * time.Second)}, []string{"2"}},
			{storage.ReportFilter{Cause: "one", At: after(2 * time.Second)}, nil},
		} {
			var ids []string
			list := func(p storage.Page) ([]storage.Report, string, error) { return w.ListReports(w.ctx, c.f, p) }
			for _, r := range pages(w, list) {
				ids = append(ids, r.ID)
			}
			mustEqual(w, fmt.Sprintf("%+v", c.f), ids, c.want)
		}
		_, err := w.Report(w.ctx, "none")
		w.mustBe(err, storage.ErrNotFound)
	},
	"ParallelUpdatesOfAReportAreNotLost": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		countAttempt := func(r *storage.Report) { r.Entries[0].Attempts++ }
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if err := w.UpdateReport(w.ctx, "report", countAttempt); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "attempts", r.Entries[0].Attempts, 30)
		w.mustBe(w.UpdateReport(w.ctx, "none", func(*storage.Report) {}), storage.ErrNotFound)
	},
	"UpdateOfAReportCannotChangeItsKeys": func(w *world) {
		w.mustReport(delivery("d", "h", 1))
		w.must(
			w.UpdateReport(
				w.ctx,
				"report",
				func(r *storage.Report) { r.ID, r.Subject, r.EndedAt = "x", "bob", after(time.Hour) },
			),
		)
		r, err := w.Report(w.ctx, "report")
		w.must(err)
		mustEqual(w, "report", []string{r.ID, r.Subject, r.EndedAt.String()}, []string{"report", "ann", t0.String()})
	},
}
