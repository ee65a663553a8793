package signout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Figures puts a trust horizon as pages show it: three numbers, and by name whoever is in none of them.
func Figures(e logout.Estimate) templates.Horizon {
	confirmed := 0
	for _, row := range e.Rows {
		if row.Kind == logout.KindApplication && row.Trust == storage.TrustConfirmed {
			confirmed++
		}
	}
	return templates.Horizon{Tokens: e.Tokens.Within(e.At), Within: e.Apps.Bounded, Apps: e.Apps.Within(e.At), Confirmed: confirmed, Over: e.Apps.Ended - confirmed,
		Unknown: e.Apps.Names, Told: e.Apps.Told}
}

// FiguresOf are the figures of an ended session, counted from its end.
func FiguresOf(report storage.Report, at time.Time) templates.Horizon {
	f := Figures(logout.Assess(report, at))
	for _, row := range report.Rows {
		until := row.Until.Sub(report.At)
		switch {
		case row.Trust != storage.TrustBounded:
		case row.Kind == logout.KindTokens:
			f.Tokens = max(f.Tokens, until)
		case row.Kind == logout.KindApplication:
			f.Apps = max(f.Apps, until)
		}
	}
	return f
}

// Clients finds relying parties.
type Clients interface {
	Client(ctx context.Context, id string) (*storage.Client, error)
}

// Lister lists living sessions.
type Lister interface {
	ListSessions(ctx context.Context, sel storage.Selector, at time.Time, p storage.Page) (sessions []storage.Session, next string, err error)
}

// AllSessions are all living sessions of a person: a bound over some of them would be none.
func AllSessions(ctx context.Context, store Lister, subject string, at time.Time) ([]storage.Session, error) {
	var all []storage.Session
	for after := ""; ; {
		page, next, err := store.ListSessions(ctx, storage.Selector{Subject: subject}, at, storage.Page{After: after})
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		after = next
	}
}

// Estimate is what would remain if these sessions ended at that moment. grants are the living ones of their user.
func Estimate(ctx context.Context, store Clients, sessions []storage.Session, grants []storage.Grant, at time.Time, o logout.Options) (logout.Estimate, error) {
	clients := map[string]*storage.Client{}
	note := func(id string) error {
		c, err := store.Client(ctx, id)
		if err == nil {
			clients[id] = c
		}
		return ignoreMissing(err)
	}
	for _, g := range grants {
		if err := note(g.Client); err != nil {
			return logout.Estimate{}, err
		}
	}
	var all []logout.Estimate
	for _, s := range sessions {
		for _, m := range s.Members {
			if err := note(m.Client); err != nil {
				return logout.Estimate{}, err
			}
		}
		all = append(all, logout.Horizon(s, clients, grants, at, o))
	}
	return logout.Join(at, all...), nil
}
