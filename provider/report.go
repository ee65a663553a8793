package provider

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/storage"
)

// document is a report as it is handed out, with the audit lines that it names.
func (p *Provider) document(ctx context.Context, report storage.Report, at time.Time) (logout.Document, error) {
	var lines []storage.Event
	filter := storage.EventFilter{Subject: report.Subject, Since: report.At, Until: report.At.Add(time.Millisecond)}
	for after := ""; ; {
		events, next, err := p.config.Store.ListEvents(ctx, filter, storage.Page{After: after})
		if err != nil {
			return logout.Document{}, fmt.Errorf("list events: %w", err)
		}
		for _, e := range events {
			if slices.Contains(report.Audit, e.Seq) {
				lines = append(lines, e)
			}
		}
		if next == "" {
			return logout.Export(p.config.Issuer, report, lines, at), nil
		}
		after = next
	}
}

// signReport makes a report a JWT of its own type, which no other endpoint takes.
func (p *Provider) signReport(ctx context.Context, report storage.Report, at time.Time) (string, error) {
	doc, err := p.document(ctx, report, at)
	if err != nil {
		return "", err
	}
	return p.config.Ring.Sign(keys.RS256, logout.DocumentTyp, doc)
}

// rules refuses passwords that are little more than what everybody knows here.
func (p *Provider) rules() password.Rules {
	words := []string{"curfew"}
	if u, err := url.Parse(p.config.Issuer); err == nil {
		words = append(words, u.Hostname())
	}
	return password.Rules{Words: words}
}
