package bolt

import (
	"context"
	"fmt"
	"iter"

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
func (s *Store) ListReports(
	ctx context.Context,
	f storage.ReportFilter,
	p storage.Page,
) ([]storage.Report, string, error) {
	index := reportsByTime
	var prefix []byte
	if f.Subject != "" {
		index = reportsByUser
		prefix = keyPrefix(f.Subject)
	}
	idOffset := len(prefix) + timeKeyLength
	if !f.At.IsZero() {
		prefix = append(prefix, timeKey(f.At)...)
	}
	walk := func(t *tx, after []byte) iter.Seq2[[]byte, []byte] { return t.scanBackward(index, prefix, after) }
	return list(ctx, s, p, walk, func(t *tx, k, causeID []byte) (r storage.Report, ok bool) {
		if f.Cause != "" && string(causeID) != f.Cause {
			return r, false
		}
		r, ok = load[storage.Report](t, reports, k[idOffset:])
		return r, ok && (f.Client == "" || hasClient(r, f.Client))
	})
}

// UpdateReport implements storage.Reports. It does not let change set the fields that are part of the report's keys.
func (s *Store) UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error {
	return s.update(ctx, func(t *tx) error {
		r, ok := load[storage.Report](t, reports, []byte(id))
		if !ok {
			return fmt.Errorf("update report: %w", storage.ErrNotFound)
		}
		before := r
		change(&r)
		r.ID = before.ID
		r.EndedAt = before.EndedAt
		r.Subject = before.Subject
		r.Cause.ID = before.Cause.ID
		r.DeleteAfter = truncateToMillis(r.DeleteAfter)
		if !r.DeleteAfter.Equal(before.DeleteAfter) {
			t.scheduleExpiry(r.DeleteAfter, expiryReport, []byte(r.ID))
		}
		t.store(reports, []byte(id), r)
		return nil
	})
}

// hasClient reports whether a client has an entry in a report.
func hasClient(r storage.Report, client string) bool {
	for _, entry := range r.Entries {
		if entry.Client == client {
			return true
		}
	}
	return false
}

// addReport stores a new report.
func (t *tx) addReport(r storage.Report) {
	truncateTimes(&r.EndedAt, &r.DeleteAfter, &r.AuthTime)
	byTime, byUser := reportKeys(r)
	t.store(reports, []byte(r.ID), r)
	t.put(reportsByTime, byTime, []byte(r.Cause.ID))
	if r.Subject != "" {
		t.put(reportsByUser, byUser, []byte(r.Cause.ID))
	}
	t.scheduleExpiry(r.DeleteAfter, expiryReport, []byte(r.ID))
}

// removeReport removes a report and its index entries.
func (t *tx) removeReport(r storage.Report) {
	byTime, byUser := reportKeys(r)
	t.delete(reports, []byte(r.ID))
	t.delete(reportsByTime, byTime)
	t.delete(reportsByUser, byUser)
}

// editEntry changes a client's entry in a report, and adds the report to pending. putReports then writes the reports in
// pending. editEntry ignores a report or entry that does not exist.
func (t *tx) editEntry(
	pending map[string]*storage.Report,
	reportID, clientID string,
	edit func(storage.ReportEntry) storage.ReportEntry,
) {
	if edit == nil {
		return
	}
	r := pending[reportID]
	if r == nil {
		loaded, ok := load[storage.Report](t, reports, []byte(reportID))
		if !ok {
			return
		}
		r = &loaded
	}
	if entry := r.Entry("client_session", clientID); entry != nil {
		*entry = truncateEntryTimes(edit(*entry))
		pending[reportID] = r
	}
}

// putReports writes the reports that editEntry changed.
func (t *tx) putReports(pending map[string]*storage.Report) {
	for id, r := range pending {
		t.store(reports, []byte(id), *r)
	}
}

// reportKeys returns the keys of a report in the tables reportsByTime and reportsByUser.
func reportKeys(r storage.Report) (byTime, byUser []byte) {
	byTime = timeKey(r.EndedAt, []byte(r.ID)...)
	return byTime, append(keyPrefix(r.Subject), byTime...)
}

// truncateEntryTimes returns entry with all times in whole milliseconds.
func truncateEntryTimes(entry storage.ReportEntry) storage.ReportEntry {
	truncateTimes(&entry.NotifiedAt, &entry.ExpiresAt, &entry.NextAttempt, &entry.LastAnswer.At)
	return entry
}
