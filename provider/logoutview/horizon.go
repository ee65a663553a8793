package logoutview

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PageHorizon converts a trust horizon to the form that pages show: durations, counts, and the names of the apps whose
// trust has no known end.
func PageHorizon(estimate logout.Estimate, upstreams upstream.Set) templates.Horizon {
	confirmed := 0
	for _, entry := range estimate.Entries {
		if entry.Kind == logout.KindClientSession && entry.Trust == storage.TrustConfirmed {
			confirmed++
		}
	}
	horizon := templates.Horizon{
		Tokens:    estimate.Tokens.Remaining(estimate.At),
		Expiring:  estimate.Clients.Expiring,
		Clients:   estimate.Clients.Remaining(estimate.At),
		Confirmed: confirmed,
		Over:      estimate.Clients.Over - confirmed,
		Unknown:   estimate.Clients.UnknownNames,
		Notifying: estimate.Clients.Notifying,
	}
	addUpstreams(&horizon, estimate, upstreams)
	return horizon
}

// addUpstreams adds the sessions at upstreams, and the horizon over the chain of providers.
func addUpstreams(horizon *templates.Horizon, estimate logout.Estimate, upstreams upstream.Set) {
	leastCertain := storage.TrustRevoked
	for _, entry := range estimate.Entries {
		if entry.Kind != logout.KindUpstreamSession {
			continue
		}
		name := entry.ClientName
		if p := upstreams.Find(entry.ClientName); p != nil {
			name = p.Name
		}
		if !slices.Contains(horizon.Upstreams, name) {
			horizon.Upstreams = append(horizon.Upstreams, name)
		}
		if logout.LessCertain(entry.Trust, leastCertain) {
			leastCertain = entry.Trust
		}
	}
	horizon.UpstreamTrust = templates.Trust(leastCertain)
	if chain := estimate.Chain; chain != nil {
		horizon.Chain = chain.ExpiresAt.Sub(estimate.At)
		horizon.ChainUnknown = len(chain.UnknownNames) > 0
	}
}

// ReportHorizon returns the trust horizon of an ended session, measured from the time at which it ended.
func ReportHorizon(report storage.Report, upstreams upstream.Set, now time.Time) templates.Horizon {
	estimate := logout.AssessReport(report, now)
	horizon := PageHorizon(estimate, upstreams)
	if estimate.Chain != nil {
		horizon.Chain = estimate.Chain.ExpiresAt.Sub(report.EndedAt)
	}
	for _, entry := range report.Entries {
		if entry.Trust != storage.TrustExpiring {
			continue
		}
		remaining := entry.ExpiresAt.Sub(report.EndedAt)
		switch entry.Kind {
		case logout.KindAccessTokens:
			horizon.Tokens = max(horizon.Tokens, remaining)
		case logout.KindClientSession:
			horizon.Clients = max(horizon.Clients, remaining)
		}
	}
	return horizon
}

// ClientFinder finds clients by their ID.
type ClientFinder interface {
	Client(ctx context.Context, id string) (*storage.Client, error)
}

// SessionLister lists active sessions.
type SessionLister interface {
	ListSessions(
		ctx context.Context,
		sel storage.Selector,
		at time.Time,
		p storage.Page,
	) (sessions []storage.Session, next string, err error)
}

// AllSessions returns all active sessions of a user. An estimate over only some of them would be too short.
func AllSessions(ctx context.Context, store SessionLister, subject string, now time.Time) ([]storage.Session, error) {
	var all []storage.Session
	var page storage.Page
	for {
		sessions, next, err := store.ListSessions(ctx, storage.Selector{Subject: subject}, now, page)
		if err != nil {
			return nil, err
		}
		all = append(all, sessions...)
		if next == "" {
			return all, nil
		}
		page.After = next
	}
}

// EstimateHorizon estimates how long clients could still trust these sessions if they ended now. grants are all active
// grants of the user.
func EstimateHorizon(
	ctx context.Context,
	store ClientFinder,
	sessions []storage.Session,
	grants []storage.Grant,
	now time.Time,
	opts logout.PreviewOptions,
) (logout.Estimate, error) {
	clients := map[string]*storage.Client{}
	addClient := func(id string) error {
		c, err := store.Client(ctx, id)
		if err != nil {
			return ignoreNotFound(err)
		}
		clients[id] = c
		return nil
	}
	for _, g := range grants {
		if err := addClient(g.Client); err != nil {
			return logout.Estimate{}, err
		}
	}
	var estimates []logout.Estimate
	for _, s := range sessions {
		for _, clientSession := range s.ClientSessions {
			if err := addClient(clientSession.Client); err != nil {
				return logout.Estimate{}, err
			}
		}
		estimates = append(estimates, logout.PreviewHorizon(s, clients, grants, now, opts))
	}
	return logout.MergeEstimates(now, estimates...), nil
}

// ignoreNotFound returns err, or nil if err is storage.ErrNotFound.
func ignoreNotFound(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}
