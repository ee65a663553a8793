package provider

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// checkpointer publishes signed checkpoints of the audit trail outside the store: in the log and, if a URL is
// configured, there. Who cuts off the end of the trail cannot take them back.
type checkpointer struct {
	issuer   string
	events   storage.Events
	key      storage.AuditKey
	post     func(ctx context.Context, target string, form url.Values) (status int, err error)
	target   string // empty: the log only
	interval time.Duration
	now      func() time.Time
	log      *slog.Logger

	published uint64 // the line of the last checkpoint
}

// checkpointTimeout bounds one POST of a checkpoint.
const checkpointTimeout = 10 * time.Second

func (p *Provider) newCheckpointer() *checkpointer {
	c := p.config
	return &checkpointer{
		issuer: c.Issuer,
		events: c.Store,
		key:    c.Ring.AuditKey(),
		post: func(ctx context.Context, target string, form url.Values) (int, error) {
			response, err := c.Egress.PostForm(ctx, target, form)
			return response.Status, err
		},
		target:   c.Audit.CheckpointURL,
		interval: c.Audit.CheckpointEvery,
		now:      c.Now,
		log:      c.Log,
	}
}

// Run publishes a checkpoint at each interval, and one when ctx ends. After an error the next interval tries again.
func (c *checkpointer) Run(ctx context.Context) {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkpointTimeout)
			defer cancel()
			c.publish(ctx)
			return
		case <-ticker.C:
			c.publish(ctx)
		}
	}
}

// publish publishes a checkpoint if the trail has grown since the last one.
func (c *checkpointer) publish(ctx context.Context) {
	newest, _, err := c.events.ListEvents(ctx, storage.EventFilter{Newest: true}, storage.Page{Limit: 1})
	if err != nil {
		c.log.ErrorContext(ctx, "no audit checkpoint: the trail cannot be read", "err", err)
		return
	}
	if len(newest) == 0 || newest[0].Seq == c.published {
		return
	}
	last := newest[0]
	text := storage.Checkpoint{Seq: last.Seq, Hash: last.Hash, At: c.now()}.Sign(c.key)
	c.log.InfoContext(ctx, "audit checkpoint", "line", last.Seq, "checkpoint", text)
	if err := c.send(ctx, text); err != nil {
		c.log.ErrorContext(ctx, "audit checkpoint not delivered; the next one is", "err", err)
		return
	}
	c.published = last.Seq
}

// send posts a checkpoint to the configured URL.
func (c *checkpointer) send(ctx context.Context, checkpoint string) error {
	if c.target == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkpointTimeout)
	defer cancel()
	status, err := c.post(ctx, c.target, url.Values{"iss": {c.issuer}, "checkpoint": {checkpoint}})
	if err != nil {
		return fmt.Errorf("post to audit.checkpoint_url: %w", err)
	}
	if status < http.StatusOK || status >= http.StatusMultipleChoices {
		return fmt.Errorf("post to audit.checkpoint_url: got status %d", status)
	}
	return nil
}
