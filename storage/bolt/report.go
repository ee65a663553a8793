package bolt

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Report implements storage.Reports.
func (s *Store) Report(ctx context.Context, id string) (storage.Report, error) {
	return read(ctx, s, func(t *tx) (storage.Report, error) {
		r, ok := load[storage.Report](t, reports, []byte(id))
		if !ok {
			return r, fmt.Errorf("find report: %w", storage.ErrNotFound)
		}
		return r, nil
	})
}

// ListReports implements storage.Reports.
func (s *Store) ListReports(ctx context.Context, f storage.ReportFilter, p storage.Page) ([]storage.Report, string, error) {
	at, prefix := reportTimes, []byte(nil)
	if f.Subject != "" {
		at, prefix = userReports, within(f.Subject)
	}
	id := len(prefix) + timeLength
	if !f.At.IsZero() {
		prefix = append(prefix, timeKey(f.At)...)
	}
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.before(at, prefix, after) }
	return list(ctx, s, p, walk, func(t *tx, k, cause []byte) (r storage.Report, ok bool) {
		if f.Cause == "" || string(cause) == f.Cause {
			r, ok = load[storage.Report](t, reports, k[id:])
		}
		return r, ok && (f.Client == "" || names(r, f.Client))
	})
}

// UpdateReport implements storage.Reports. What a report is found by does not change.
func (s *Store) UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error {
	return s.update(ctx, func(t *tx) error {
		r, ok := load[storage.Report](t, reports, []byte(id))
		if !ok {
			return fmt.Errorf("update report: %w", storage.ErrNotFound)
		}
		before := r
		change(&r)
		r.ID, r.At, r.Subject, r.Cause.ID = before.ID, before.At, before.Subject, before.Cause.ID
		if r.Keep = milli(r.Keep); !r.Keep.Equal(before.Keep) {
			t.expire(r.Keep, expiryReport, []byte(r.ID))
		}
		t.store(reports, []byte(id), r)
		return nil
	})
}

// names tells whether a client has a row in a report.
func names(r storage.Report, client string) bool {
	for _, row := range r.Rows {
		if row.Client == client {
			return true
		}
	}
	return false
}

// addReport stores a new report.
func (t *tx) addReport(r storage.Report) {
	r.At, r.Keep, r.AuthTime = milli(r.At), milli(r.Keep), milli(r.AuthTime)
	byTime, byUser := reportKeys(r)
	t.store(reports, []byte(r.ID), r)
	t.put(reportTimes, byTime, []byte(r.Cause.ID))
	if r.Subject != "" {
		t.put(userReports, byUser, []byte(r.Cause.ID))
	}
	t.expire(r.Keep, expiryReport, []byte(r.ID))
}

// removeReport removes a report that is past its time.
func (t *tx) removeReport(r storage.Report) {
	byTime, byUser := reportKeys(r)
	t.delete(reports, []byte(r.ID))
	t.delete(reportTimes, byTime)
	t.delete(userReports, byUser)
}

// changeRow changes a client's row in a report that it reads into changed, for putReports to write; a report or row that is gone is fine.
func (t *tx) changeRow(changed map[string]*storage.Report, report, client string, change func(storage.Row) storage.Row) {
	if change == nil {
		return
	}
	r := changed[report]
	if r == nil {
		read, ok := load[storage.Report](t, reports, []byte(report))
		if !ok {
			return
		}
		r = &read
	}
	if row := r.Row("application", client); row != nil {
		*row = milliRow(change(*row))
		changed[report] = r
	}
}

// putReports writes the reports of which changeRow changed rows.
func (t *tx) putReports(changed map[string]*storage.Report) {
	for id, r := range changed {
		t.store(reports, []byte(id), *r)
	}
}

func reportKeys(r storage.Report) (byTime, byUser []byte) {
	byTime = timeKey(r.At, []byte(r.ID)...)
	return byTime, append(within(r.Subject), byTime...)
}

// milliRow is r in whole milliseconds.
func milliRow(r storage.Row) storage.Row {
	for _, at := range []*time.Time{&r.Told, &r.Until, &r.Next, &r.Answer.At} {
		*at = milli(*at)
	}
	return r
}
