package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// QueueMail implements storage.MailQueue.
func (s *Store) QueueMail(ctx context.Context, m ...storage.Mail) error {
	return s.update(ctx, func(t *tx) error {
		t.addMails(m)
		return nil
	})
}

// ClaimMail implements storage.MailQueue. Messages that another replica claims at this moment are passed over.
func (s *Store) ClaimMail(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	limit int,
) ([]storage.Mail, error) {
	at = truncate(at)
	return write(ctx, s, func(t *tx) ([]storage.Mail, error) {
		list := queryRecords[storage.Mail](
			t,
			`SELECT record FROM @mails WHERE due <= $1 ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED`,
			millis(at), limit,
		)
		for i := range list {
			list[i] = list[i].Claimed(at, lease)
			list[i].LeasedUntil = truncate(list[i].LeasedUntil)
			t.updateMail(list[i])
		}
		return list, nil
	})
}

// RecordMail implements storage.MailQueue.
func (s *Store) RecordMail(ctx context.Context, o storage.MailOutcome) error {
	return s.update(ctx, func(t *tx) error {
		list := queryRecords[storage.Mail](t, `SELECT record FROM @mails WHERE id = $1 FOR UPDATE`, o.ID)
		if len(list) == 0 {
			return fmt.Errorf("record mail: %w", storage.ErrChanged)
		}
		m, ok := list[0].Recorded(o)
		switch {
		case !ok:
			return fmt.Errorf("record mail: %w", storage.ErrChanged)
		case o.NextAttempt.IsZero():
			t.exec(`DELETE FROM @mails WHERE id = $1`, o.ID)
		default:
			t.updateMail(m)
		}
		t.appendEvents(o.Events)
		return nil
	})
}

// RescheduleMail implements storage.MailQueue. Only due times after at can be wrong.
func (s *Store) RescheduleMail(ctx context.Context, at time.Time) error {
	at = truncate(at)
	return s.update(ctx, func(t *tx) error {
		list := queryRecords[storage.Mail](
			t, `SELECT record FROM @mails WHERE due > $1 ORDER BY id FOR UPDATE`, millis(at),
		)
		for _, before := range list {
			if m, changed := before.Rescheduled(at); changed {
				t.updateMail(m)
			}
		}
		return nil
	})
}

// NextMail implements storage.MailQueue.
func (s *Store) NextMail(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) {
		var due int64
		if !t.queryRow(`SELECT due FROM @mails ORDER BY due LIMIT 1`, nil, &due) {
			return time.Time{}, nil
		}
		return time.UnixMilli(due).UTC(), nil
	})
}

// addMails stores new messages.
func (t *tx) addMails(list []storage.Mail) {
	for _, m := range list {
		t.addMail(m)
	}
}

func (t *tx) addMail(m storage.Mail) {
	truncateAll(&m.Created, &m.NextAttempt, &m.GiveUpAt, &m.LeasedUntil)
	t.exec(
		`INSERT INTO @mails (id, due, keep_until, record) VALUES ($1, $2, $3, $4)`,
		m.ID, millis(m.DueAt()), millis(m.GiveUpAt.Add(storage.MailRetention)), t.encode(m),
	)
}

// updateMail stores a message that a claim or an outcome has changed.
func (t *tx) updateMail(m storage.Mail) {
	truncateAll(&m.NextAttempt, &m.LeasedUntil)
	t.exec(`UPDATE @mails SET due = $2, record = $3 WHERE id = $1`, m.ID, millis(m.DueAt()), t.encode(m))
}
