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
	Intact   bool         `json:"whole"`
	Events   int          `json:"lines"`            // that follow each other
	LastSeq  uint64       `json:"last,omitempty"`   // the sequence number of the last of them
	HeadHash storage.Hash `json:"head,omitzero"`    // its hash: write it down elsewhere, and a later loss of lines shows
	BrokenAt uint64       `json:"broken,omitempty"` // the sequence number at which the chain breaks
}

// eventParameters are the parameters that choose lines.
var eventParameters = []string{"kind", "user", "client", "session", "reason", "since", "until", "newest"}

func (a *api) eventFilter(ctx context.Context, values url.Values) (storage.EventFilter, error) {
	f := storage.EventFilter{
		Kind:    values.Get("kind"),
		Client:  values.Get("client"),
		Session: values.Get("session"),
		Reason:  storage.Reason(values.Get("reason")),
	}
	var err error
	if f.Since, err = parseTime(values, "since"); err != nil {
		return f, err
	}
	if f.Until, err = parseTime(values, "until"); err != nil {
		return f, err
	}
	if f.Newest, err = parseBool(values, "newest"); err != nil {
		return f, err
	}
	f.Subject, err = a.resolveSubject(ctx, values.Get("user"))
	return f, err
}

// resolveSubject is the subject of a user that a filter names. A removed user is still in the audit trail and in
// reports, so a name that no user has is taken for a subject.
func (a *api) resolveSubject(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	u, err := a.findUser(ctx, name)
	if apiErr, ok := errors.AsType[*Error](err); ok && apiErr.Status == http.StatusNotFound {
		return name, nil
	}
	return u.Subject, err
}

func (a *api) listEvents(w http.ResponseWriter, r *http.Request) error {
	values, page, err := parsePage(r, eventParameters...)
	if err != nil {
		return err
	}
	f, err := a.eventFilter(r.Context(), values)
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
	return writeJSON(w, http.StatusOK, EventList{events, next})
}

// exportEvents writes the trail as JSON lines, page by page, so that no long transaction holds the store's free pages.
func (a *api) exportEvents(w http.ResponseWriter, r *http.Request) error {
	values, err := parseQuery(r, eventParameters...)
	if err != nil {
		return err
	}
	f, err := a.eventFilter(r.Context(), values)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jsonl")
	encoder := json.NewEncoder(w)
	started := false
	err = a.forEachEventPage(r.Context(), f, func(events []storage.Event) error {
		for _, e := range events {
			started = true
			if err := encoder.Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && started {
		if r.Context().Err() == nil {
			a.log().ErrorContext(r.Context(), "audit export broke off", "err", err)
		}
		panic(http.ErrAbortHandler) // the status has gone out: only a broken connection shows that lines are missing
	}
	return err
}

// errStop stops everyEvent before the last page; everyEvent itself returns no error then.
var errStop = errors.New("enough")

func (a *api) forEachEventPage(ctx context.Context, f storage.EventFilter, visit func([]storage.Event) error) error {
	page := storage.Page{Limit: maxLimit}
	for {
		events, next, err := a.Store.ListEvents(ctx, f, page)
		if err != nil {
			return err
		}
		if err := visit(events); errors.Is(err, errStop) {
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

// verifyEvents follows the chain from its first line. Lines that were cut off at the end do not show in the chain
// itself; they show in the head that was written down before.
func (a *api) verifyEvents(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	v := Verification{Intact: true}
	err := a.forEachEventPage(r.Context(), storage.EventFilter{}, func(events []storage.Event) error {
		for _, e := range events {
			if !e.Follows(v.LastSeq, v.HeadHash) {
				v.Intact, v.BrokenAt = false, v.LastSeq+1
				return errStop
			}
			v.Events, v.LastSeq, v.HeadHash = v.Events+1, e.Seq, e.Hash
		}
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}
