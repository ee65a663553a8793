package admin

import (
	"context"
	"crypto/rand"
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

// TerminationRequest says what to end: exactly one of Sessions, User and AllUsers, or Client alone, which means its
// client sessions at all users. Client beside one of them ends that client's client sessions and leaves the sessions.
type TerminationRequest struct {
	Sessions       []string `json:"sessions,omitempty"` // ids
	User           string   `json:"user,omitempty"`     // subject, login name or e-mail address
	AllUsers       bool     `json:"all_users,omitempty"`
	Client         string   `json:"client,omitempty"`
	ExceptSession  string   `json:"except_session,omitempty"`  // the id of a session that stays
	IncludeOffline bool     `json:"include_offline,omitempty"` // offline access ends too
	DryRun         bool     `json:"dry_run,omitempty"`         // count only
}

// TerminationResult is what a termination did, or would do.
type TerminationResult struct {
	DryRun  bool                     `json:"dry_run,omitempty"`
	CauseID string                   `json:"cause_id,omitempty"` // names the termination in audit, reports and GET /logouts
	EndedAt time.Time                `json:"ended_at,omitzero"`  // from then on all of it is revoked
	Count   storage.TerminationCount `json:"count"`              // what there was to end
	// Reports of a bulk logout are those of its first page.
	Reports    []string `json:"reports,omitempty"`
	InProgress bool     `json:"in_progress,omitempty"` // clients of further pages are still being notified; all of it is revoked
}

// BulkLogout is a bulk logout, running or finished.
type BulkLogout struct {
	storage.BulkLogout
	Remaining storage.TerminationCount `json:"remaining"` // what is still to be notified
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
	result, err := a.terminate(r.Context(), sel, storage.ReasonAdmin, storage.Change{}, "")
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// selector checks that everything a request names is there: a slip in a name must not look like success.
func (a *api) selector(ctx context.Context, q TerminationRequest) (storage.Selector, error) {
	sel := storage.Selector{
		AllUsers:       q.AllUsers,
		Except:         storage.SessionID(q.ExceptSession),
		Client:         q.Client,
		IncludeOffline: q.IncludeOffline,
	}
	targets := 0
	for _, named := range []bool{len(q.Sessions) > 0, q.User != "", q.AllUsers} {
		if named {
			targets++
		}
	}
	if targets > 1 || targets == 0 && q.Client == "" {
		return sel, invalid("body", "must name exactly one of sessions, user and all_users, or only a client")
	}
	if q.Client != "" {
		if _, err := a.findClient(ctx, q.Client); err != nil {
			return sel, err
		}
	}
	if q.User != "" {
		u, err := a.findUser(ctx, q.User)
		if err != nil {
			return sel, err
		}
		sel.Subject = u.Subject
	}
	for _, id := range q.Sessions {
		if _, err := a.Store.Session(ctx, storage.SessionID(id), a.Now()); err != nil {
			return sel, explainNotFound(err, "session", id)
		}
		sel.Sessions = append(sel.Sessions, storage.SessionID(id))
	}
	return sel, a.checkExceptSession(ctx, q.ExceptSession, sel.Subject)
}

// checkExceptSession checks the session that is to live on: it has to be there, and the user's if only theirs end.
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

// terminate ends what sel selects, with change and its audit line (kind; empty: the ending's own lines are enough) in
// the same transaction.
func (a *api) terminate(
	ctx context.Context,
	sel storage.Selector,
	reason storage.Reason,
	change storage.Change,
	kind string,
) (TerminationResult, error) {
	cause := storage.Cause{ID: rand.Text(), Reason: reason, By: Actor}
	if kind != "" {
		event := a.auditEvent(kind)
		event.Reason, event.Cause, event.Subject, event.Client = reason, cause.ID, sel.Subject, sel.Client
		change.Events = append(change.Events, event)
	}
	outcome, err := a.Terminator.End(ctx, storage.EndRequest{Selector: sel, Cause: cause, Change: change})
	if err != nil {
		return TerminationResult{}, err
	}
	count := outcome.Count
	if outcome.More { // counted only now, so that the count does not delay the termination
		bulk := storage.BulkLogout{Cause: cause, Selector: sel, StartedAt: outcome.EndedAt}
		if count, err = a.Store.CountBulkLogout(ctx, bulk); err != nil {
			return TerminationResult{}, fmt.Errorf("count bulk logout %s, which is in force: %w", cause.ID, err)
		}
	}
	return TerminationResult{
		CauseID:    outcome.CauseID,
		EndedAt:    outcome.EndedAt,
		Count:      count,
		Reports:    outcome.ReportIDs,
		InProgress: outcome.More,
	}, nil
}

func (a *api) listBulkLogouts(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	logouts, err := a.Store.ListBulkLogouts(r.Context())
	if err != nil {
		return err
	}
	list := BulkLogoutList{BulkLogouts: make([]BulkLogout, 0, len(logouts))}
	for _, e := range logouts {
		view := BulkLogout{BulkLogout: e}
		if e.Finished.IsZero() {
			total, err := a.Store.CountBulkLogout(r.Context(), e)
			if err != nil {
				return err
			}
			view.Remaining = total.Sub(e.Done)
		}
		list.BulkLogouts = append(list.BulkLogouts, view)
	}
	return writeJSON(w, http.StatusOK, list)
}
