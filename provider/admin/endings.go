package admin

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// EndingStore is what the routes of endings ask of the store.
type EndingStore interface {
	ListEndings(ctx context.Context) ([]storage.Ending, error)
	CountEndings(ctx context.Context, sel storage.Selector, at time.Time) (storage.Count, error)
}

// EndRequest says what to end: exactly one of Sessions, User and Everyone, or Client alone, which means its share of everybody's
// sessions. Client beside one of them leaves the sessions and ends that client's share of them.
type EndRequest struct {
	Sessions []string `json:"sessions,omitempty"` // ids
	User     string   `json:"user,omitempty"`     // subject, login name or e-mail address
	Everyone bool     `json:"everyone,omitempty"`
	Client   string   `json:"client,omitempty"`
	Except   string   `json:"except,omitempty"`  // the id of a session that lives on
	Offline  bool     `json:"offline,omitempty"` // offline access ends too
	DryRun   bool     `json:"dry_run,omitempty"` // count only
}

// EndResult is what an ending did, or would do.
type EndResult struct {
	DryRun bool          `json:"dry_run,omitempty"`
	Cause  string        `json:"cause,omitempty"` // names the ending in audit, reports and GET /endings
	At     time.Time     `json:"at,omitzero"`     // from then on nothing of it counts
	Count  storage.Count `json:"count"`           // what there was to end
	// Reports of a mass ending are those of its first page.
	Reports []string `json:"reports,omitempty"`
	More    bool     `json:"more,omitempty"` // further pages are being told; everything is dead already
}

// MassEnding is a mass ending under way or finished.
type MassEnding struct {
	storage.Ending
	Remaining storage.Count `json:"remaining"` // what has still to be told
}

// EndingList is all mass endings of late.
type EndingList struct {
	Endings []MassEnding `json:"endings"`
}

func (a *api) end(w http.ResponseWriter, r *http.Request) error {
	var request EndRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	sel, err := a.selector(r.Context(), request)
	if err != nil {
		return err
	}
	if request.DryRun {
		count, err := a.Ender.Preview(r.Context(), sel)
		if err != nil {
			return err
		}
		return write(w, http.StatusOK, EndResult{DryRun: true, Count: count})
	}
	result, err := a.endWith(r.Context(), sel, storage.ReasonAdmin, storage.Change{}, "")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}

// selector checks that everything a request names is there: a slip in a name must not look like success.
func (a *api) selector(ctx context.Context, q EndRequest) (storage.Selector, error) {
	sel := storage.Selector{Everyone: q.Everyone, Except: storage.SessionID(q.Except), Client: q.Client, Offline: q.Offline}
	chosen := 0
	for _, given := range []bool{len(q.Sessions) > 0, q.User != "", q.Everyone} {
		if given {
			chosen++
		}
	}
	if chosen > 1 || chosen == 0 && q.Client == "" {
		return sel, invalid("body", "has to name one of sessions, user and everyone, or a client alone")
	}
	if q.Client != "" {
		if _, err := a.client(ctx, q.Client); err != nil {
			return sel, err
		}
	}
	if q.User != "" {
		u, err := a.user(ctx, q.User)
		if err != nil {
			return sel, err
		}
		sel.Subject = u.Subject
	}
	for _, id := range q.Sessions {
		if _, err := a.Store.Session(ctx, storage.SessionID(id), a.Now()); err != nil {
			return sel, named(err, "session", id)
		}
		sel.Sessions = append(sel.Sessions, storage.SessionID(id))
	}
	return sel, a.spared(ctx, q.Except, sel.Subject)
}

// spared checks the session that is to live on: it has to be there, and the user's if only theirs end.
func (a *api) spared(ctx context.Context, id, subject string) error {
	if id == "" {
		return nil
	}
	s, err := a.Store.Session(ctx, storage.SessionID(id), a.Now())
	if err == nil && subject != "" && s.Subject != subject {
		return invalid("except", "is another user's session")
	}
	return namedIn(err, "except", "session", id)
}

// endWith ends what sel selects, with change and its audit line (kind; empty: the ending's own lines are enough) in the same
// transaction.
func (a *api) endWith(ctx context.Context, sel storage.Selector, reason storage.Reason, change storage.Change, kind string) (EndResult, error) {
	count, err := a.Ender.Preview(ctx, sel)
	if err != nil {
		return EndResult{}, err
	}
	cause := storage.Cause{ID: rand.Text(), Reason: reason, By: By}
	if kind != "" {
		event := a.event(kind)
		event.Reason, event.Cause, event.Subject, event.Client = reason, cause.ID, sel.Subject, sel.Client
		change.Events = append(change.Events, event)
	}
	outcome, err := a.Ender.End(ctx, sel, cause, change)
	if err != nil {
		return EndResult{}, err
	}
	return EndResult{Cause: outcome.CauseID, At: outcome.At, Count: count, Reports: outcome.Reports, More: outcome.More}, nil
}

func (a *api) listEndings(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	endings, err := a.Store.ListEndings(r.Context())
	if err != nil {
		return err
	}
	list := EndingList{Endings: make([]MassEnding, 0, len(endings))}
	for _, e := range endings {
		one := MassEnding{Ending: e}
		if e.Finished.IsZero() {
			if one.Remaining, err = a.Store.CountEndings(r.Context(), e.Selector, e.At); err != nil {
				return err
			}
		}
		list.Endings = append(list.Endings, one)
	}
	return write(w, http.StatusOK, list)
}
