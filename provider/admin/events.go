package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/storage"
)

// EventStore is the audit trail.
type EventStore interface {
	AppendEvents(ctx context.Context, e ...storage.Event) error
	ListEvents(ctx context.Context, f storage.EventFilter, p storage.Page) ([]storage.Event, string, error)
}

// EventList is a page of the audit trail.
type EventList struct {
	Events []storage.Event `json:"events"`
	Next   string          `json:"next,omitempty"`
}

// Verification is what became of checking the audit trail's chain.
type Verification struct {
	Whole  bool         `json:"whole"`
	Lines  int          `json:"lines"`            // that follow each other
	Last   uint64       `json:"last,omitempty"`   // the sequence number of the last of them
	Head   storage.Hash `json:"head,omitzero"`    // its hash: write it down elsewhere, and a later loss of lines shows
	Broken uint64       `json:"broken,omitempty"` // the sequence number at which the chain breaks
}

// eventFilters are the parameters that choose lines.
var eventFilters = []string{"kind", "user", "client", "session", "reason", "since", "until", "newest"}

func (a *api) filter(ctx context.Context, values url.Values) (storage.EventFilter, error) {
	f := storage.EventFilter{Kind: values.Get("kind"), Client: values.Get("client"), Session: values.Get("session"), Reason: storage.Reason(values.Get("reason"))}
	var err error
	if f.Since, err = instant(values, "since"); err != nil {
		return f, err
	}
	if f.Until, err = instant(values, "until"); err != nil {
		return f, err
	}
	if f.Newest, err = flag(values, "newest"); err != nil {
		return f, err
	}
	f.Subject, err = a.subject(ctx, values.Get("user"))
	return f, err
}

// subject is the subject of a user that a filter names. Somebody who was removed is still in trail and reports, so a name
// that nobody has is taken for a subject.
func (a *api) subject(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	u, err := a.user(ctx, name)
	if known, ok := errors.AsType[*Error](err); ok && known.Status == http.StatusNotFound {
		return name, nil
	}
	return u.Subject, err
}

func (a *api) listEvents(w http.ResponseWriter, r *http.Request) error {
	values, page, err := paged(r, eventFilters...)
	if err != nil {
		return err
	}
	f, err := a.filter(r.Context(), values)
	if err != nil {
		return err
	}
	events, next, err := a.Store.ListEvents(r.Context(), f, page)
	if err != nil {
		return err
	}
	if events == nil {
		events = []storage.Event{}
	}
	return write(w, http.StatusOK, EventList{events, next})
}

// exportEvents writes the trail as JSON lines, page by page, so that no long transaction holds the store's free pages.
func (a *api) exportEvents(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, eventFilters...)
	if err != nil {
		return err
	}
	f, err := a.filter(r.Context(), values)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jsonl")
	lines := json.NewEncoder(w)
	begun := false
	err = a.everyEvent(r.Context(), f, func(events []storage.Event) error {
		for _, e := range events {
			begun = true
			if err := lines.Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && begun {
		if r.Context().Err() == nil {
			a.log().ErrorContext(r.Context(), "audit export broke off", "err", err)
		}
		panic(http.ErrAbortHandler) // the status has gone out: only a broken connection tells that lines are missing
	}
	return err
}

// errEnough stops everyEvent before the last page; everyEvent itself returns no error then.
var errEnough = errors.New("enough")

func (a *api) everyEvent(ctx context.Context, f storage.EventFilter, take func([]storage.Event) error) error {
	page := storage.Page{Limit: maxLimit}
	for {
		events, next, err := a.Store.ListEvents(ctx, f, page)
		if err != nil {
			return err
		}
		if err := take(events); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}

// verifyEvents follows the chain from its first line. Lines that were cut off at the end do not show in the chain itself;
// they show in the head that was written down before.
func (a *api) verifyEvents(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	v := Verification{Whole: true}
	err := a.everyEvent(r.Context(), storage.EventFilter{}, func(events []storage.Event) error {
		for _, e := range events {
			if !e.Follows(v.Last, v.Head) {
				v.Whole, v.Broken = false, v.Last+1
				return errEnough
			}
			v.Lines, v.Last, v.Head = v.Lines+1, e.Seq, e.Hash
		}
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, v)
}
