package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// reportDocument returns a report as users download it, with the audit events that it refers to.
func (p *Provider) reportDocument(ctx context.Context, report storage.Report, now time.Time) (logout.Document, error) {
	var audited []storage.Event
	filter := storage.EventFilter{
		Subject: report.Subject,
		Since:   report.EndedAt,
		Until:   report.EndedAt.Add(time.Millisecond),
	}
	for after := ""; ; {
		events, next, err := p.config.Store.ListEvents(ctx, filter, storage.Page{After: after})
		if err != nil {
			return logout.Document{}, fmt.Errorf("list events: %w", err)
		}
		for _, e := range events {
			if slices.Contains(report.Audit, e.Seq) {
				audited = append(audited, e)
			}
		}
		if next == "" {
			return logout.NewDocument(p.config.Issuer, report, audited, now), nil
		}
		after = next
	}
}

// signReport returns the report as a signed JWT. Its own typ keeps other endpoints from accepting it.
func (p *Provider) signReport(ctx context.Context, report storage.Report, now time.Time) (string, error) {
	doc, err := p.reportDocument(ctx, report, now)
	if err != nil {
		return "", err
	}
	return p.config.Ring.Sign(keys.RS256, logout.DocumentTyp, doc)
}
