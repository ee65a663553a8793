package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// EventStore has the methods of the store that read and append the audit trail.
type EventStore interface {
	AppendEvents(ctx context.Context, e ...storage.Event) error
	ListEvents(
		ctx context.Context,
		f storage.EventFilter,
		p storage.Page,
	) (events []storage.Event, next string, err error)
	EventRemoval(ctx context.Context) (string, error)
}

// EventList is a page of the audit trail.
type EventList struct {
	Events []storage.Event `json:"events"`
	Next   string          `json:"next,omitempty"`
}

// Verification is the result of verifying the audit trail. Each line of the trail contains the hash of the line before
// it, and a MAC with a key from the key file. The trail itself cannot show that lines were cut off at its end. A
// checkpoint that was kept elsewhere shows whether a line up to the checkpoint is missing.
type Verification struct {
	Intact     bool         `json:"whole"`
	Events     int          `json:"lines"`                 // verified lines
	LastSeq    uint64       `json:"last,omitempty"`        // the sequence number of the last verified line
	HeadHash   storage.Hash `json:"head,omitzero"`         // the hash of the last verified line
	BrokenAt   uint64       `json:"broken,omitempty"`      // the sequence number at which the trail breaks
	Problem    string       `json:"problem,omitempty"`     // why it breaks there
	CompleteTo uint64       `json:"complete_to,omitempty"` // the checkpoint shows that no line up to this one is missing
	Checkpoint string       `json:"checkpoint,omitempty"`  // of the last verified line, for a later verification
	FirstSeq   uint64       `json:"first,omitempty"`       // the sequence number of the first verified line
	RemovedTo  uint64       `json:"removed_to,omitempty"`  // retention removed the lines up to this one: signed
	RemovedAt  time.Time    `json:"removed_at,omitzero"`   // when it did
}

// NewVerification returns the result of v. err is the first error of v.Add, or else that of v.Finish.
func NewVerification(v *storage.TrailVerifier, err error, at time.Time) Verification {
	result := Verification{
		Intact:   true,
		Events:   v.Lines,
		FirstSeq: v.FirstSeq,
		LastSeq:  v.LastSeq,
		HeadHash: v.Head,
	}
	if v.Removal != nil {
		result.RemovedTo = v.Removal.Seq
		result.RemovedAt = v.Removal.At
	}
	if trailErr, ok := errors.AsType[*storage.TrailError](err); ok {
		result.Intact = false
		result.BrokenAt = trailErr.Line
		result.Problem = trailErr.Problem
		return result
	}
	if v.Checkpoint != nil {
		result.CompleteTo = v.Checkpoint.Seq
	}
	result.Checkpoint = storage.Checkpoint{Seq: v.LastSeq, Hash: v.Head, At: at}.Sign(v.Key)
	return result
}

// eventParameters are the query parameters that select events.
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

// resolveSubject returns the subject of the user that a filter names. If there is no such user, it returns name as the
// subject, because the audit trail and reports still contain the subjects of removed users.
func (a *api) resolveSubject(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	u, err := a.findUser(ctx, name)
	apiErr, isAPIError := errors.AsType[*Error](err)
	if isAPIError && apiErr.Status == http.StatusNotFound {
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

// exportEvents writes the trail as JSON lines. It reads one page of the trail after the other: a single long
// transaction would keep the store from reusing its free pages.
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
		// The status 200 is already sent. Only a broken connection shows the client that lines are missing.
		panic(http.ErrAbortHandler)
	}
	return err
}

// errStop stops forEachEventPage before the last page.
var errStop = errors.New("stop")

// forEachEventPage calls visit with each page of the events. If visit returns an error, forEachEventPage stops and
// returns it. If visit returns errStop, forEachEventPage stops and returns nil.
func (a *api) forEachEventPage(ctx context.Context, f storage.EventFilter, visit func([]storage.Event) error) error {
	page := storage.Page{Limit: maxLimit}
	for {
		events, next, err := a.Store.ListEvents(ctx, f, page)
		if err != nil {
			return err
		}
		err = visit(events)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}

// verifyEvents verifies the trail from its first line. The parameter since is a checkpoint that the trail must also
// contain.
func (a *api) verifyEvents(w http.ResponseWriter, r *http.Request) error {
	values, err := parseQuery(r, "since")
	if err != nil {
		return err
	}
	key := a.Keys.AuditKey()
	var checkpoint *storage.Checkpoint
	if text := values.Get("since"); text != "" {
		c, err := storage.ParseCheckpoint(text, key)
		if err != nil {
			return invalid("since", "%s", err)
		}
		checkpoint = &c
	}
	for {
		removal, err := a.Store.EventRemoval(r.Context())
		if err != nil {
			return err
		}
		v := storage.TrailVerifier{Key: key, Checkpoint: checkpoint}
		trailErr, err := a.verifyTrail(r.Context(), &v, removal)
		if err != nil {
			return err
		}
		if trailErr != nil {
			// Retention may have removed lines meanwhile. Then the trail begins with a later line: verify it again.
			newRemoval, err := a.Store.EventRemoval(r.Context())
			if err != nil {
				return err
			}
			if newRemoval != removal {
				continue
			}
		}
		return writeJSON(w, http.StatusOK, NewVerification(&v, trailErr, a.Now()))
	}
}

// verifyTrail verifies the trail, which begins after the lines of a removal (empty: at its first line). trailErr is the
// first fault of the trail.
func (a *api) verifyTrail(ctx context.Context, v *storage.TrailVerifier, removal string) (trailErr, err error) {
	if removal != "" {
		c, err := storage.ParseRemoval(removal, v.Key)
		if err != nil {
			return &storage.TrailError{Line: 1, Problem: "the note about removed lines is not signed with this key file"}, nil
		}
		v.Removal = &c
	}
	err = a.forEachEventPage(ctx, storage.EventFilter{}, func(events []storage.Event) error {
		for _, e := range events {
			if trailErr = v.Add(e); trailErr != nil {
				return errStop
			}
		}
		return nil
	})
	if trailErr == nil && err == nil {
		trailErr = v.Finish()
	}
	return trailErr, err
}
