package storage

import (
	"context"
	"time"
)

// Mail is a message that waits in the store until a mail server has accepted it.
type Mail struct {
	ID      string `json:"id"`      // random
	Content []byte `json:"content"` // the message, encrypted by the caller: it may contain a one-time link

	Created     time.Time `json:"created"`
	NextAttempt time.Time `json:"next_attempt"`
	// Pause is how long before NextAttempt it was decided on. Zero: the message was due at once.
	Pause       time.Duration `json:"pause,omitempty"`
	GiveUpAt    time.Time     `json:"give_up_at"`
	LeasedUntil time.Time     `json:"leased_until,omitzero"` // zero: no attempt is under way
	Lease       uint64        `json:"lease,omitempty"`       // claims so far; only the latest may record an outcome
	Attempts    int           `json:"attempts,omitempty"`
}

// Notice is a message about an event, and the one-time link in it. Event.Notice has the message queued.
type Notice struct {
	Mail Mail
	Link OneTimeLink // without Hash: the message has no link
}

// MailOutcome is the outcome of an attempt to send a message.
type MailOutcome struct {
	ID    string
	Lease uint64 // Mail.Lease of the claim under which the attempt was made

	// NextAttempt is when the message is tried again. Zero: the message is finished and the store removes it.
	NextAttempt time.Time
	Pause       time.Duration // from now to NextAttempt
	Events      []Event       // audit lines
}

// MaxMailLease is the longest lease that a caller asks for.
const MaxMailLease = 2 * time.Minute

// MailRetention is how long after GiveUpAt a message is kept at most, for example while mail is not configured.
const MailRetention = 24 * time.Hour

// MailQueue is the outbox of messages. It is apart from the deliveries of logout tokens, so that mail never delays
// them. PutOneTimeLink, Change and Event.Notice queue messages too, in the transaction of what the messages are about.
type MailQueue interface {
	// QueueMail adds messages, in one transaction.
	QueueMail(ctx context.Context, m ...Mail) error
	// ClaimMail leases up to limit messages that are due, the earliest first. No other caller gets them until the lease
	// runs out.
	ClaimMail(ctx context.Context, at time.Time, lease time.Duration, limit int) ([]Mail, error)
	// RecordMail stores the outcome of an attempt. ErrChanged if the attempt no longer has the lease.
	RecordMail(ctx context.Context, o MailOutcome) error
	// RescheduleMail corrects all messages (Mail.Rescheduled) after the clock was set back to at.
	RescheduleMail(ctx context.Context, at time.Time) error
	// NextMail returns when the next message may be claimed; the zero time if none waits.
	NextMail(ctx context.Context) (time.Time, error)
}

// DueAt returns when the message may be claimed next: at NextAttempt or, if it is leased, when the lease runs out.
func (m *Mail) DueAt() time.Time {
	if m.LeasedUntil.IsZero() {
		return m.NextAttempt
	}
	return m.LeasedUntil
}

// Claimed returns a copy of the message after a claim: with a new lease, and with its attempt counted.
func (m Mail) Claimed(at time.Time, lease time.Duration) Mail {
	m.Lease++
	m.Attempts++
	m.LeasedUntil = at.Add(lease)
	return m
}

// Recorded returns a copy of the message that is tried again as the outcome says. ok is false if the attempt no longer
// had the lease; the caller must then store nothing.
func (m Mail) Recorded(o MailOutcome) (recorded Mail, ok bool) {
	if m.Lease != o.Lease || m.LeasedUntil.IsZero() {
		return m, false
	}
	m.LeasedUntil = time.Time{}
	m.NextAttempt = o.NextAttempt
	m.Pause = o.Pause
	return m, true
}

// Rescheduled corrects a message after the clock was set back. NextAttempt and LeasedUntil may then lie too far in the
// future, because a clock that was ahead set them. Rescheduled moves NextAttempt to at most now plus Pause, and
// LeasedUntil to at most now plus MaxMailLease. changed reports whether it moved one of them.
func (m Mail) Rescheduled(now time.Time) (rescheduled Mail, changed bool) {
	if latest := now.Add(MaxMailLease); m.LeasedUntil.After(latest) {
		m.LeasedUntil = latest // the lease is kept: its attempt may be under way
		changed = true
	}
	if latest := now.Add(m.Pause); m.NextAttempt.After(latest) {
		m.NextAttempt = latest
		changed = true
	}
	return m, changed
}
