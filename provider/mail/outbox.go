package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

const (
	lease        = storage.MaxMailLease // longer than an attempt; after a crash the message is claimed again
	claimLimit   = 4                    // messages that are sent at the same time
	pollInterval = 10 * time.Second     // how late messages are noticed that another replica has queued
)

// retryPauses are the pauses after the first, second … failed attempt. The last one repeats until the message is
// given up.
var retryPauses = [...]time.Duration{
	5 * time.Second,
	30 * time.Second,
	2 * time.Minute,
	10 * time.Minute,
	30 * time.Minute,
}

// Wrapper encrypts the content of messages in the store (keys.Ring).
type Wrapper interface {
	WrapMail(id string, content []byte) []byte
	UnwrapMail(id string, wrapped []byte) ([]byte, error)
}

// Sender sends one message (SMTP).
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Outbox sends the messages that wait in the store. Delivery is at-least-once: after a crash a message may be sent
// twice.
type Outbox struct {
	Store   storage.MailQueue
	Wrapper Wrapper
	Sender  Sender
	Now     func() time.Time
	Log     *slog.Logger

	wake chan struct{}
}

// NewOutbox returns o, ready for use. Its exported fields must be set.
func NewOutbox(o Outbox) *Outbox {
	o.wake = make(chan struct{}, 1)
	return &o
}

// Prepare returns the record of a message. The caller stores it in the transaction of what the message is about, and
// then calls Wake. The message is tried until giveUpAt.
func (o *Outbox) Prepare(m Message, giveUpAt time.Time) (storage.Mail, error) {
	content, err := json.Marshal(m)
	if err != nil {
		return storage.Mail{}, fmt.Errorf("encode message: %w", err)
	}
	id := keys.Random()
	now := o.Now()
	return storage.Mail{
		ID:          id,
		Content:     o.Wrapper.WrapMail(id, content),
		Created:     now,
		NextAttempt: now,
		GiveUpAt:    giveUpAt,
	}, nil
}

// Wake makes Run look for messages at once.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default: // Run will look anyway
	}
}

// Run sends messages until ctx ends. It returns when the attempts in progress have ended.
func (o *Outbox) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	clock := &storage.ClockWatch{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-timer.C:
		}
		if now := o.Now(); clock.SetBack(now) {
			if err := o.Store.RescheduleMail(ctx, now); err != nil {
				clock.Forget() // tries again
				o.Log.ErrorContext(ctx, "due times of mail not corrected after the clock was set back", "err", err)
			}
		}
		for o.sendDue(ctx) {
		}
		timer.Reset(pollInterval)
	}
}

// sendDue claims messages and tries each once. It reports whether there may be more.
func (o *Outbox) sendDue(ctx context.Context) (more bool) {
	if ctx.Err() != nil {
		return false
	}
	next, err := o.Store.NextMail(ctx)
	if err == nil && (next.IsZero() || next.After(o.Now())) {
		return false // an idle outbox writes nothing
	}
	var claimed []storage.Mail
	if err == nil {
		claimed, err = o.Store.ClaimMail(ctx, o.Now(), lease, claimLimit)
	}
	if err != nil {
		if ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "mail not claimed", "err", err)
		}
		return false
	}
	var attempts sync.WaitGroup
	for _, m := range claimed {
		attempts.Go(func() { o.attempt(context.WithoutCancel(ctx), m) })
	}
	attempts.Wait()
	return len(claimed) == claimLimit
}

// attempt tries to send a message and records the outcome.
func (o *Outbox) attempt(ctx context.Context, m storage.Mail) {
	outcome := storage.MailOutcome{ID: m.ID, Lease: m.Lease}
	if err := o.send(ctx, m); err != nil {
		pause := retryPauses[min(max(m.Attempts, 1), len(retryPauses))-1]
		next := o.Now().Add(pause)
		var refused *RefusedError
		if errors.As(err, &refused) || !next.Before(m.GiveUpAt) {
			event := storage.Event{At: o.Now(), Kind: "mail.failed", By: "system"}
			event.Detail = map[string]string{"mail": m.ID}
			outcome.Events = []storage.Event{event}
			o.Log.ErrorContext(ctx, "mail given up", "mail", m.ID, "attempts", m.Attempts, "err", err)
		} else {
			outcome.NextAttempt, outcome.Pause = next, pause
			o.Log.WarnContext(ctx, "mail not sent, will try again", "mail", m.ID, "next", next, "err", err)
		}
	}
	err := o.Store.RecordMail(ctx, outcome)
	if err != nil && !errors.Is(err, storage.ErrChanged) {
		o.Log.ErrorContext(ctx, "outcome of mail not stored; it may be sent again", "mail", m.ID, "err", err)
	}
}

func (o *Outbox) send(ctx context.Context, m storage.Mail) error {
	content, err := o.Wrapper.UnwrapMail(m.ID, m.Content)
	var message Message
	if err == nil {
		err = json.Unmarshal(content, &message)
	}
	if err != nil {
		return &RefusedError{Err: err}
	}
	return o.Sender.Send(ctx, message)
}
