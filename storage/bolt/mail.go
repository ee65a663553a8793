package bolt

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

// ClaimMail implements storage.MailQueue.
func (s *Store) ClaimMail(
	ctx context.Context,
	at time.Time,
	lease time.Duration,
	limit int,
) ([]storage.Mail, error) {
	at = truncateToMillis(at)
	return write(ctx, s, func(t *tx) (list []storage.Mail, err error) {
		for k := range t.scanPrefix(dueMails, nil) {
			if keyTime(k).After(at) || len(list) == limit {
				break
			}
			if m, ok := load[storage.Mail](t, mails, k[timeKeyLength:]); ok {
				list = append(list, m)
			}
		}
		for i, before := range list {
			list[i] = before.Claimed(at, lease)
			list[i].LeasedUntil = truncateToMillis(list[i].LeasedUntil)
			t.delete(dueMails, mailDueKey(before))
			t.putMail(list[i])
		}
		return list, nil
	})
}

// RecordMail implements storage.MailQueue.
func (s *Store) RecordMail(ctx context.Context, o storage.MailOutcome) error {
	return s.update(ctx, func(t *tx) error {
		before, found := load[storage.Mail](t, mails, []byte(o.ID))
		m, ok := before.Recorded(o)
		if !found || !ok {
			return fmt.Errorf("record mail: %w", storage.ErrChanged)
		}
		t.removeMail(before)
		if !o.NextAttempt.IsZero() {
			t.putMail(m)
		}
		t.appendEvents(o.Events)
		return nil
	})
}

// RescheduleMail implements storage.MailQueue. Only due times after at can be wrong.
func (s *Store) RescheduleMail(ctx context.Context, at time.Time) error {
	at = truncateToMillis(at)
	return s.update(ctx, func(t *tx) error {
		var wrong []storage.Mail
		for k := range t.scanAfter(dueMails, nil, timeKey(at)) {
			m, ok := load[storage.Mail](t, mails, k[timeKeyLength:])
			if !ok {
				continue
			}
			if _, changed := m.Rescheduled(at); changed {
				wrong = append(wrong, m)
			}
		}
		for _, before := range wrong {
			m, _ := before.Rescheduled(at)
			t.delete(dueMails, mailDueKey(before))
			t.putMail(m)
		}
		return nil
	})
}

// NextMail implements storage.MailQueue.
func (s *Store) NextMail(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) {
		if k, _ := t.bucket(dueMails).Cursor().First(); k != nil {
			return keyTime(k), nil
		}
		return time.Time{}, nil
	})
}

// addMails stores new messages.
func (t *tx) addMails(list []storage.Mail) {
	for _, m := range list {
		t.putMail(m)
		t.scheduleExpiry(m.GiveUpAt.Add(storage.MailRetention), expiryMail, []byte(m.ID))
	}
}

// putMail stores a message and its entry in dueMails. The caller removes the entry of an earlier due time.
func (t *tx) putMail(m storage.Mail) {
	truncateTimes(&m.Created, &m.NextAttempt, &m.GiveUpAt, &m.LeasedUntil)
	t.store(mails, []byte(m.ID), m)
	t.put(dueMails, mailDueKey(m), nil)
}

// removeMail removes a message and its entry in dueMails.
func (t *tx) removeMail(m storage.Mail) {
	t.delete(mails, []byte(m.ID))
	t.delete(dueMails, mailDueKey(m))
}

// mailDueKey returns the key of a message in the table dueMails.
func mailDueKey(m storage.Mail) []byte { return timeKey(m.DueAt(), []byte(m.ID)...) }
