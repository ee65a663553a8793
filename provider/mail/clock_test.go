package mail_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/storage/bolt"
)

// plainWrapper leaves messages as they are.
type plainWrapper struct{}

func (plainWrapper) WrapMail(_ string, content []byte) []byte            { return content }
func (plainWrapper) UnwrapMail(_ string, content []byte) ([]byte, error) { return content, nil }

// sentMail takes every message.
type sentMail chan mail.Message

func (s sentMail) Send(_ context.Context, m mail.Message) error {
	s <- m
	return nil
}

// TestMailDoesNotWaitForAClockThatWasAhead: the clock is ten days ahead when a message is queued, and is then set back.
func TestMailDoesNotWaitForAClockThatWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		var ahead atomic.Int64 // by how long the outbox's clock is ahead
		ahead.Store(int64(10 * 24 * time.Hour))
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		sent := make(sentMail, 1)
		o := mail.NewOutbox(mail.Outbox{
			Store:   store,
			Wrapper: plainWrapper{},
			Sender:  sent,
			Now:     now,
			Log:     slog.New(slog.DiscardHandler),
		})
		ctx, stop := context.WithCancel(t.Context())
		running := make(chan struct{})
		go func() {
			o.Run(ctx)
			close(running)
		}()
		synctest.Wait()
		message, err := o.Prepare(hello, now().Add(time.Hour))
		if err == nil {
			err = store.QueueMail(t.Context(), message)
		}
		if err != nil {
			t.Fatal(err)
		}
		ahead.Store(0)
		time.Sleep(time.Minute)
		if len(sent) != 1 {
			t.Error("the message was not sent a minute after the clock was set back")
		}
		stop()
		<-running
	})
}
