package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// BulkLogoutStore has the methods of the store that the routes of logouts call.
type BulkLogoutStore interface {
	ListBulkLogouts(ctx context.Context) ([]storage.BulkLogout, error)
	CountBulkLogout(ctx context.Context, b storage.BulkLogout) (storage.TerminationCount, error)
}

// TerminationRequest selects the sessions to end: exactly one of Sessions, User and AllUsers, or Client alone, which
// selects all users. With Client, only the client sessions of that client end, and the sessions stay.
type TerminationRequest struct {
	Sessions       []string `json:"sessions,omitempty"` // ids
	User           string   `json:"user,omitempty"`     // subject, login name or e-mail address
	AllUsers       bool     `json:"all_users,omitempty"`
	Client         string   `json:"client,omitempty"`
	ExceptSession  string   `json:"except_session,omitempty"`  // the id of a session that stays
	IncludeOffline bool     `json:"include_offline,omitempty"` // offline access ends too
	DryRun         bool     `json:"dry_run,omitempty"`         // count only
}

// TerminationResult is the result of a termination or of a dry run.
type TerminationResult struct {
	DryRun bool `json:"dry_run,omitempty"`
	// CauseID is the name of the termination in the audit trail, in reports and in GET /logouts.
	CauseID string                   `json:"cause_id,omitempty"`
	EndedAt time.Time                `json:"ended_at,omitzero"` // the selected sessions are revoked from then on
	Count   storage.TerminationCount `json:"count"`             // the sessions and grants that were selected
	// CountIncomplete means that Count has only the first sessions of a bulk logout, because counting all of them took
	// too long. GET /logouts counts them.
	CountIncomplete bool `json:"count_incomplete,omitempty"`
	// Reports are the ids of the reports. A bulk logout has only those of its first page.
	Reports []string `json:"reports,omitempty"`
	// InProgress means that a bulk logout still notifies clients. All its sessions are already revoked.
	InProgress bool `json:"in_progress,omitempty"`
}

// BulkLogout is a bulk logout, running or finished.
type BulkLogout struct {
	storage.BulkLogout
	Remaining storage.TerminationCount `json:"remaining"` // sessions whose clients are still to be notified
}

// BulkLogoutList lists the bulk logouts of the last day.
type BulkLogoutList struct {
	BulkLogouts []BulkLogout `json:"bulk_logouts"`
}

func (a *api) endSessions(w http.ResponseWriter, r *http.Request) error {
	var request TerminationRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	sel, err := a.selector(r.Context(), request)
	if err != nil {
		return err
	}
	if request.DryRun {
		count, err := a.Terminator.Preview(r.Context(), sel)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, TerminationResult{DryRun: true, Count: count})
	}
	result, err := a.terminate(r.Context(), sel, storage.ReasonAdmin, storage.Change{}, changeHasEvent)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// selector returns the store's selector for a request. It checks that the named client, user and sessions exist, so
// that a misspelt name does not look like success.
func (a *api) selector(ctx context.Context, request TerminationRequest) (storage.Selector, error) {
	selector := storage.Selector{
		AllUsers:       request.AllUsers,
		Except:         storage.SessionID(request.ExceptSession),
		Client:         request.Client,
		IncludeOffline: request.IncludeOffline,
	}
	targets := 0
	for _, named := range []bool{len(request.Sessions) > 0, request.User != "", request.AllUsers} {
		if named {
			targets++
		}
	}
	clientAlone := targets == 0 && request.Client != ""
	if targets != 1 && !clientAlone {
		return selector, invalid("body", "must name exactly one of sessions, user and all_users, or only a client")
	}
	if request.Client != "" {
		if _, err := a.findClient(ctx, request.Client); err != nil {
			return selector, err
		}
	}
	if request.User != "" {
		u, err := a.findUser(ctx, request.User)
		if err != nil {
			return selector, err
		}
		selector.Subject = u.Subject
	}
	for _, id := range request.Sessions {
		if _, err := a.Store.Session(ctx, storage.SessionID(id), a.Now()); err != nil {
			return selector, explainNotFound(err, "session", id)
		}
		selector.Sessions = append(selector.Sessions, storage.SessionID(id))
	}
	return selector, a.checkExceptSession(ctx, request.ExceptSession, selector.Subject)
}

// checkExceptSession checks the id of a session that stays. The session must exist and belong to subject, unless
// subject is empty.
func (a *api) checkExceptSession(ctx context.Context, id, subject string) error {
	if id == "" {
		return nil
	}
	s, err := a.Store.Session(ctx, storage.SessionID(id), a.Now())
	if err == nil && subject != "" && s.Subject != subject {
		return invalid("except_session", "is another user's session")
	}
	return explainNotFoundIn(err, "except_session", "session", id)
}

// changeHasEvent is the eventKind of a change that has its own audit event, or none.
const changeHasEvent = ""

// terminate ends the selected sessions and makes the change, in one transaction. eventKind is the kind of the change's
// audit event, or changeHasEvent; the termination itself writes its own events.
func (a *api) terminate(
	ctx context.Context,
	selector storage.Selector,
	reason storage.Reason,
	change storage.Change,
	eventKind string,
) (TerminationResult, error) {
	cause := storage.Cause{ID: rand.Text(), Reason: reason, By: actorOf(ctx)}
	if eventKind != "" {
		change.Events = append(change.Events, a.auditEventFor(ctx, eventKind, selector.Subject, selector.Client))
	}
	for i := range change.Events {
		change.Events[i].Reason = reason
		change.Events[i].Cause = cause.ID
	}
	result, err := a.Terminator.End(ctx, storage.EndRequest{Selector: selector, Cause: cause, Change: change})
	if err != nil {
		return TerminationResult{}, err
	}
	count := result.Count
	incomplete := false
	if result.More { // a bulk logout, which is counted afterwards so that the count does not delay it
		bulk := storage.BulkLogout{Cause: cause, Selector: selector, StartedAt: result.EndedAt}
		total, err := a.countBulkLogout(ctx, bulk)
		switch {
		case err == nil:
			count = total
		case errors.Is(err, storage.ErrUnavailable):
			incomplete = true // the bulk logout is on disk, whatever becomes of its count
		default:
			return TerminationResult{}, fmt.Errorf("count bulk logout %s, which is in force: %w", cause.ID, err)
		}
	}
	return TerminationResult{
		CauseID:         result.CauseID,
		EndedAt:         result.EndedAt,
		Count:           count,
		CountIncomplete: incomplete,
		Reports:         result.ReportIDs,
		InProgress:      result.More,
	}, nil
}

// countTimeout is how long the answer to a bulk logout may wait for the count of its sessions.
const countTimeout = 2 * time.Second

// countBulkLogout counts what a bulk logout selects. After countTimeout it returns storage.ErrUnavailable.
func (a *api) countBulkLogout(ctx context.Context, bulk storage.BulkLogout) (storage.TerminationCount, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	return a.Store.CountBulkLogout(ctx, bulk)
}

func (a *api) listBulkLogouts(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	bulkLogouts, err := a.Store.ListBulkLogouts(r.Context())
	if err != nil {
		return err
	}
	list := BulkLogoutList{BulkLogouts: make([]BulkLogout, 0, len(bulkLogouts))}
	for _, bulk := range bulkLogouts {
		view := BulkLogout{BulkLogout: bulk}
		if bulk.Finished.IsZero() {
			total, err := a.Store.CountBulkLogout(r.Context(), bulk)
			if err != nil {
				return err
			}
			view.Remaining = total.Sub(bulk.Done)
		}
		list.BulkLogouts = append(list.BulkLogouts, view)
	}
	return writeJSON(w, http.StatusOK, list)
}
