package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-id/curfew/storage"
)

const (
	deliveryRetention = 7 * 24 * time.Hour // how long a delivery without a report is kept after GiveUpAt
	rescheduleBatch   = 500                // maximum number of deliveries that one transaction reschedules
)

// ClaimDeliveries implements storage.Deliveries. It skips deliveries that another replica is claiming.
func (s *Store) ClaimDeliveries(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	limit int,
	newFilter func() storage.ClaimFilter,
) ([]storage.Delivery, error) {
	at = truncate(at)
	s.observeTime(at)
	return write(ctx, s, func(t *tx) ([]storage.Delivery, error) {
		mayTake := storage.ClaimFilter(func(string) bool { return true })
		if newFilter != nil {
			mayTake = newFilter()
		}
		list := t.lockDue(at, limit, mayTake)
		for i := range list {
			list[i] = list[i].Claimed(at, lease)
			list[i].LeasedUntil = truncate(list[i].LeasedUntil)
			t.updateDelivery(list[i])
		}
		return list, nil
	})
}

// lockDue locks up to limit deliveries that are due, oldest first. It reads them in chunks, because mayTake may refuse
// many of them. A host that was refused once is excluded from the next chunks.
func (t *tx) lockDue(at time.Time, limit int, mayTake storage.ClaimFilter) (list []storage.Delivery) {
	refused := []string{}                  // hosts that mayTake refused
	afterDue, afterID := int64(-1<<62), "" // the last delivery of the chunk before
	const extra = 16                       // deliveries read in excess of those needed
	for len(list) < limit && t.err == nil {
		n := 0
		t.query(
			`SELECT due, record FROM @deliveries
			WHERE state = 'pending' AND due <= $1 AND (due, id) > ($2, $3) AND host <> ALL($4)
			ORDER BY due, id LIMIT $5 FOR UPDATE SKIP LOCKED`,
			[]any{millis(at), afterDue, afterID, refused, limit - len(list) + extra},
			func(rows pgx.Rows) error {
				var value []byte
				err := rows.Scan(&afterDue, &value)
				d := decode[storage.Delivery](t, value)
				afterID = d.ID
				n++
				switch {
				case len(list) == limit:
				case mayTake(d.Host):
					list = append(list, d)
				case !slices.Contains(refused, d.Host):
					refused = append(refused, d.Host)
				}
				return err
			},
		)
		if n == 0 {
			break
		}
	}
	return list
}

// RecordOutcomes implements storage.Deliveries.
func (s *Store) RecordOutcomes(ctx context.Context, outcomes []storage.DeliveryOutcome) ([]string, error) {
	return write(ctx, s, func(t *tx) (stale []string, err error) {
		ids := make([]string, len(outcomes))
		for i, o := range outcomes {
			ids[i] = o.ID
		}
		found := t.lockDeliveries(ids...)
		edits := t.lockReports(found)
		for _, o := range outcomes {
			if o.HostHealth != nil {
				t.putHostHealth(*o.HostHealth)
			}
			before, ok := found[o.ID]
			d, current := before.Recorded(o)
			if !ok || !current {
				stale = append(stale, o.ID)
				continue
			}
			t.updateDelivery(d)
			found[o.ID] = d
			edits.editEntry(d, o.UpdateEntry)
			if o.Event != nil {
				t.auditDelivery(d, edits.reports[d.Report], *o.Event)
			}
		}
		edits.write(t)
		return stale, nil
	})
}

// RescheduleDeliveries implements storage.Deliveries.
func (s *Store) RescheduleDeliveries(ctx context.Context, at time.Time) error {
	at = truncate(at)
	after := ""
	for {
		n, err := writeWithin(ctx, s, bulkTimeout, func(t *tx) (n int, err error) {
			next := after
			var ahead []storage.Delivery
			t.query(
				`SELECT record FROM @deliveries WHERE state = 'pending' AND due > $1 AND id > $2
				ORDER BY id LIMIT $3 FOR UPDATE`,
				[]any{millis(at), after, rescheduleBatch}, collect(t, &ahead),
			)
			for _, d := range ahead {
				next = d.ID
				if d, changed := d.Rescheduled(at); changed {
					t.updateDelivery(d)
				}
			}
			t.committed = append(t.committed, func() { after = next })
			t.wrote = true
			return len(ahead), nil
		})
		if err != nil || n < rescheduleBatch {
			return err
		}
	}
}

// NextDelivery implements storage.Deliveries.
func (s *Store) NextDelivery(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) {
		var due int64
		if !t.queryRow(`SELECT due FROM @deliveries WHERE state = 'pending' ORDER BY due LIMIT 1`, nil, &due) {
			return time.Time{}, nil
		}
		return time.UnixMilli(due).UTC(), nil
	})
}

// Delivery implements storage.Deliveries.
func (s *Store) Delivery(ctx context.Context, id string) (storage.Delivery, error) {
	return read(ctx, s, func(t *tx) (storage.Delivery, error) {
		var value []byte
		if !t.queryRow(`SELECT record FROM @deliveries WHERE id = $1`, []any{id}, &value) {
			return storage.Delivery{}, fmt.Errorf("find delivery: %w", storage.ErrNotFound)
		}
		return decode[storage.Delivery](t, value), nil
	})
}

// RetryDelivery implements storage.Deliveries.
func (s *Store) RetryDelivery(
	ctx context.Context,
	id string,
	at time.Time,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
) error {
	return s.changeDelivery(ctx, id, "retry", updateEntry, e, func(d storage.Delivery) storage.Delivery {
		return d.Retried(truncate(at))
	})
}

// CancelDelivery implements storage.Deliveries.
func (s *Store) CancelDelivery(
	ctx context.Context,
	id string,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
) error {
	return s.changeDelivery(ctx, id, "cancel", updateEntry, e, storage.Delivery.Cancelled)
}

// AdvanceDelivery implements storage.Deliveries.
func (s *Store) AdvanceDelivery(
	ctx context.Context,
	id string,
	at time.Time,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
) error {
	at = truncate(at)
	return s.update(ctx, func(t *tx) error {
		found := t.lockDeliveries(id)
		before, ok := found[id]
		if !ok {
			return fmt.Errorf("advance delivery: %w", storage.ErrNotFound)
		}
		d, ok := before.Advanced(at)
		if !ok {
			return nil
		}
		t.updateDelivery(d)
		edits := t.lockReports(found)
		edits.editEntry(d, updateEntry)
		edits.write(t)
		return nil
	})
}

// changeDelivery changes a delivery for an administrator, with its report's entry and the audit line.
func (s *Store) changeDelivery(
	ctx context.Context,
	id, verb string,
	updateEntry func(storage.ReportEntry) storage.ReportEntry,
	e storage.Event,
	change func(storage.Delivery) storage.Delivery,
) error {
	return s.update(ctx, func(t *tx) error {
		found := t.lockDeliveries(id)
		d, ok := found[id]
		switch {
		case !ok:
			return fmt.Errorf("%s delivery: %w", verb, storage.ErrNotFound)
		case !d.Open():
			return fmt.Errorf("%s delivery: %w", verb, storage.ErrAlreadyUsed)
		}
		d = change(d)
		t.updateDelivery(d)
		edits := t.lockReports(found)
		edits.editEntry(d, updateEntry)
		t.auditDelivery(d, edits.reports[d.Report], e)
		edits.write(t)
		return nil
	})
}

// auditDelivery writes an audit line about a delivery. r is its report, or nil if the report was removed.
func (t *tx) auditDelivery(d storage.Delivery, r *storage.Report, e storage.Event) {
	if r == nil {
		r = &storage.Report{}
	}
	e.Client = d.Client
	e.Subject = r.Subject
	e.Session = r.SessionHash
	e.Cause = r.Cause.ID
	e.Reason = r.Cause.Reason
	t.appendEvent(e)
}

// CountDeliveries implements storage.Deliveries.
func (s *Store) CountDeliveries(
	ctx context.Context,
) (byState map[storage.DeliveryState]int, oldest time.Time, err error) {
	byState, err = read(ctx, s, func(t *tx) (map[storage.DeliveryState]int, error) {
		counts := map[storage.DeliveryState]int{}
		t.query(
			`SELECT state, count(*), min(created) FROM @deliveries GROUP BY state`, nil,
			func(rows pgx.Rows) error {
				var state storage.DeliveryState
				var n int
				var created int64
				err := rows.Scan((*string)(&state), &n, &created)
				counts[state] = n
				if state == storage.DeliveryPending {
					oldest = time.UnixMilli(created).UTC()
				}
				return err
			},
		)
		return counts, nil
	})
	return byState, oldest, err
}

// ListDeliveries implements storage.Deliveries.
func (s *Store) ListDeliveries(
	ctx context.Context,
	f storage.DeliveryFilter,
	p storage.Page,
) ([]storage.Delivery, string, error) {
	return list(ctx, s, p, func(t *tx, after string, limit int) (chunk []item[storage.Delivery]) {
		created, id := splitTimeKey(after)
		t.query(
			`SELECT created, record FROM @deliveries WHERE (created, id) < ($1, $2)
				AND ($3 = '' OR state = $3) AND ($4 = '' OR client = $4) AND ($5 = '' OR report = $5)
			ORDER BY created DESC, id DESC LIMIT $6`,
			[]any{created, id, string(f.State), f.Client, f.Report, limit},
			func(rows pgx.Rows) error {
				var created int64
				var value []byte
				err := rows.Scan(&created, &value)
				d := decode[storage.Delivery](t, value)
				chunk = append(chunk, item[storage.Delivery]{
					key:    timeKey(created, d.ID),
					record: d,
					picked: true,
				})
				return err
			},
		)
		return chunk
	})
}

// timeKey returns the key of a record in a listing that is ordered by time and id.
func timeKey(at int64, id string) string { return strconv.FormatInt(at, 10) + " " + id }

// splitTimeKey splits a key that timeKey made. For the empty key it returns a time after all others, so that a listing
// with the newest first begins at its start.
func splitTimeKey(key string) (at int64, id string) {
	text, id, _ := strings.Cut(key, " ")
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64, ""
	}
	return at, id
}

// lockDeliveries locks and reads deliveries.
func (t *tx) lockDeliveries(ids ...string) map[string]storage.Delivery {
	found := map[string]storage.Delivery{}
	for _, d := range queryRecords[storage.Delivery](
		t, `SELECT record FROM @deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE`, ids,
	) {
		found[d.ID] = d
	}
	return found
}

// addDelivery stores a new delivery. It is kept until keepUntil or, if that is zero, for deliveryRetention after
// GiveUpAt.
func (t *tx) addDelivery(d storage.Delivery, keepUntil time.Time) {
	if keepUntil.IsZero() {
		keepUntil = d.GiveUpAt.Add(deliveryRetention)
	}
	d, value := normalize(t, d.Planned())
	t.exec(
		`INSERT INTO @deliveries (id, report, client, host, state, created, due, give_up, keep_until, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		d.ID, d.Report, d.Client, d.Host, string(d.State), millis(d.Created), millis(d.DueAt()), millis(d.GiveUpAt),
		millis(keepUntil), value,
	)
}

// updateDelivery stores changes of an existing delivery.
func (t *tx) updateDelivery(d storage.Delivery) {
	d, value := normalize(t, d)
	t.exec(
		`UPDATE @deliveries SET state = $2, due = $3, give_up = $4, record = $5 WHERE id = $1`,
		d.ID, string(d.State), millis(d.DueAt()), millis(d.GiveUpAt), value,
	)
}

// ListHostHealth implements storage.Deliveries.
func (s *Store) ListHostHealth(ctx context.Context) ([]storage.HostHealth, error) {
	return read(ctx, s, func(t *tx) ([]storage.HostHealth, error) {
		return queryRecords[storage.HostHealth](t, `SELECT record FROM @host_health ORDER BY host`), nil
	})
}

// putHostHealth stores the health of a host.
func (t *tx) putHostHealth(health storage.HostHealth) {
	health.At = truncate(health.At)
	t.exec(
		`INSERT INTO @host_health (host, at, record) VALUES ($1, $2, $3)
		ON CONFLICT (host) DO UPDATE SET at = EXCLUDED.at, record = EXCLUDED.record`,
		health.Host, millis(health.At), t.encode(health),
	)
}
