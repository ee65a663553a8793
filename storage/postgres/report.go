package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

// Report implements storage.Reports.
func (s *Store) Report(ctx context.Context, id string) (storage.Report, error) {
	return read(ctx, s, func(t *tx) (storage.Report, error) {
		var value []byte
		if !t.queryRow(`SELECT record FROM @reports WHERE id = $1`, []any{id}, &value) {
			return storage.Report{}, fmt.Errorf("find report: %w", storage.ErrNotFound)
		}
		return decode[storage.Report](t, value), nil
	})
}

// ListReports implements storage.Reports.
func (s *Store) ListReports(
	ctx context.Context,
	f storage.ReportFilter,
	p storage.Page,
) ([]storage.Report, string, error) {
	return list(ctx, s, p, func(t *tx, after string, limit int) (chunk []item[storage.Report]) {
		ended, id := splitTimeKey(after)
		t.query(
			`SELECT ended, record FROM @reports WHERE (ended, id) < ($1, $2)
				AND ($3 = '' OR subject = $3) AND ($4 = '' OR cause = $4) AND ($5::bigint = 0 OR ended = $5)
			ORDER BY ended DESC, id DESC LIMIT $6`,
			[]any{ended, id, f.Subject, f.Cause, millis(f.At), limit},
			func(rows pgx.Rows) error {
				var ended int64
				var value []byte
				err := rows.Scan(&ended, &value)
				r := decode[storage.Report](t, value)
				chunk = append(chunk, item[storage.Report]{
					key:    timeKey(ended, r.ID),
					record: r,
					picked: f.Client == "" || hasClient(r, f.Client),
				})
				return err
			},
		)
		return chunk
	})
}

// hasClient reports whether a client has an entry in a report.
func hasClient(r storage.Report, client string) bool {
	return slices.ContainsFunc(r.Entries, func(entry storage.ReportEntry) bool { return entry.Client == client })
}

// UpdateReport implements storage.Reports. change cannot change the fields by which ListReports finds a report.
func (s *Store) UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error {
	return s.update(ctx, func(t *tx) error {
		list := queryRecords[storage.Report](t, `SELECT record FROM @reports WHERE id = $1 FOR UPDATE`, id)
		if len(list) == 0 {
			return fmt.Errorf("update report: %w", storage.ErrNotFound)
		}
		r, before := list[0], list[0]
		change(&r)
		r.ID = before.ID
		r.EndedAt = before.EndedAt
		r.Subject = before.Subject
		r.Cause.ID = before.Cause.ID
		t.updateReport(r)
		return nil
	})
}

// addReport stores a new report.
func (t *tx) addReport(r storage.Report) {
	t.exec(
		`INSERT INTO @reports (id, subject, cause, ended, delete_after, record) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.ID, textColumn(r.Subject), textColumn(r.Cause.ID), millis(truncate(r.EndedAt)), millis(r.DeleteAfter),
		t.encode(r),
	)
}

// updateReport stores changes of an existing report.
func (t *tx) updateReport(r storage.Report) {
	t.exec(
		`UPDATE @reports SET delete_after = $2, record = $3 WHERE id = $1`,
		r.ID, millis(r.DeleteAfter), t.encode(r),
	)
}

// reportEdits collects changes of report entries, so that each report is read and written once.
type reportEdits struct {
	reports map[string]*storage.Report // by id
	changed map[string]bool            // by id
}

// lockReports locks and reads the reports of deliveries.
func (t *tx) lockReports(deliveries map[string]storage.Delivery) *reportEdits {
	edits := &reportEdits{reports: map[string]*storage.Report{}, changed: map[string]bool{}}
	var ids []string
	for _, d := range deliveries {
		ids = append(ids, d.Report)
	}
	for _, r := range queryRecords[storage.Report](
		t, `SELECT record FROM @reports WHERE id = ANY($1) ORDER BY id FOR UPDATE`, unique(ids),
	) {
		edits.reports[r.ID] = &r
	}
	return edits
}

// editEntry changes the entry of a delivery's client. If the report or the entry does not exist, it does nothing.
func (e *reportEdits) editEntry(d storage.Delivery, edit func(storage.ReportEntry) storage.ReportEntry) {
	r := e.reports[d.Report]
	if r == nil || edit == nil {
		return
	}
	if entry := r.Entry("client_session", d.Client); entry != nil {
		*entry = edit(*entry)
		e.changed[r.ID] = true
	}
}

// write stores the reports that have changed.
func (e *reportEdits) write(t *tx) {
	for id := range e.changed {
		t.updateReport(*e.reports[id])
	}
}
