package logout

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// SessionStore is the part of a store that a Terminator uses.
type SessionStore interface {
	EndSessions(
		ctx context.Context,
		req storage.EndRequest,
		at time.Time,
		limit int,
		plan func(storage.Termination) storage.Plan,
	) ([]storage.Termination, bool, error)
	CountTerminations(ctx context.Context, sel storage.Selection) (storage.TerminationCount, error)
	ListBulkLogouts(ctx context.Context) ([]storage.BulkLogout, error)
	Sweep(ctx context.Context, at time.Time, limit int) (int, error)
	UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error
}

// DefaultPageSize is how many sessions a bulk logout ends in one transaction.
const DefaultPageSize = 200

// DefaultReportRetention is how long reports are kept.
const DefaultReportRetention = 90 * 24 * time.Hour

// Terminator ends sessions. Use it by pointer. Store, Now and Issuer are required.
type Terminator struct {
	Store           SessionStore
	Now             func() time.Time
	Wake            func()                                              // Dispatcher.Wake
	Behind          func() bool                                         // Dispatcher.Behind; nil: pages of a bulk logout do not wait
	Issuer          string                                              //
	SubjectFor      func(u storage.User, client *storage.Client) string // as the client knows the user; nil: the public subject
	Lifetimes       Lifetimes                                           // the longest of the deployment
	ReportRetention time.Duration                                       // 0: DefaultReportRetention
	SilentExpiry    bool                                                // do not notify relying parties of sessions that expire
	PageSize        int                                                 // sessions in one transaction; 0: DefaultPageSize
	Log             *slog.Logger                                        // nil: slog.Default
	Observer        Observer

	once       sync.Once
	wakeRun    chan struct{} // a bulk logout has more pages
	enforcedBy enforcedTimes // of bulk logouts with more pages
}

// Result is what a call of End has ended. It is durable.
type Result struct {
	CauseID      string
	EndedAt      time.Time                // when the clock was read; bounds and durations count from it
	Terminations []storage.Termination    // of a bulk logout: those of the first page
	ReportIDs    []string                 // one for each of Terminations
	More         bool                     // further pages follow in the background; all of them are revoked already
	Count        storage.TerminationCount // of Terminations
	issuer       string
}

// Frames returns the frames of a front-channel logout for what ended.
func (o Result) Frames() []Frame { return Frames(o.issuer, o.Terminations) }

// End applies the change of req and ends what its selector selects. When it returns, everything derived from that is
// revoked, and the deliveries to relying parties are stored. Selecting nothing is not an error. A cause without an ID
// gets one. End goes on when ctx is cancelled: a browser that closes the connection has asked all the same. Errors
// are those of the change and of the store; after storage.ErrUnavailable the outcome is open, and the same request
// can be repeated.
func (t *Terminator) End(ctx context.Context, req storage.EndRequest) (Result, error) {
	if req.Cause.ID == "" {
		req.Cause.ID = rand.Text()
	}
	ctx = context.WithoutCancel(ctx)
	at := t.Now().UTC().Truncate(time.Millisecond)
	page, err := t.endPage(ctx, req, at, time.Time{})
	if page.more {
		t.enforcedBy.set(req.Cause.ID, page.committedAt)
	}
	if page.more || err != nil { // an error may hide a commit, and with it further pages
		t.signalRun()
	}
	if err != nil {
		return Result{}, err
	}
	result := Result{
		CauseID:      req.Cause.ID,
		EndedAt:      at,
		Terminations: page.terminations,
		More:         page.more,
		issuer:       t.Issuer,
	}
	for _, termination := range page.terminations {
		result.Count = result.Count.Add(storage.CountTermination(termination, storage.Selection{}))
		result.ReportIDs = append(result.ReportIDs, reportID(termination))
	}
	return result, nil
}

// endedPage is the result of one call of EndSessions.
type endedPage struct {
	terminations []storage.Termination
	more         bool      // further pages remain
	committedAt  time.Time // when the call returned
}

// endPage is the only call of EndSessions. enforcedBy is known for the later pages of a bulk logout, which took
// effect with its first commit; it is zero otherwise.
func (t *Terminator) endPage(ctx context.Context, req storage.EndRequest, at, enforcedBy time.Time) (endedPage, error) {
	reports := map[string]*storage.Report{} // as they were written; a plan that is made twice is the same
	terminations, more, err := t.Store.EndSessions(
		ctx,
		req,
		at,
		t.pageSize(),
		func(termination storage.Termination) storage.Plan {
			p := Plan(t, termination, enforcedByCause(termination, req.Cause, enforcedBy))
			reports[p.Report.ID] = p.Report
			return p
		},
	)
	// An error may hide a commit, so the dispatcher looks then too.
	if t.Wake != nil && (err != nil || len(terminations) > 0) {
		t.Wake()
	}
	if err != nil {
		return endedPage{}, fmt.Errorf("end sessions: %w", err)
	}
	page := endedPage{terminations, more, t.Now()}
	var tightened sync.WaitGroup // together, so that they share a commit
	for _, termination := range terminations {
		if enforcedByCause(termination, req.Cause, enforcedBy).IsZero() {
			t.tightenCachedBounds(ctx, &tightened, termination, reports[reportID(termination)], page.committedAt)
		}
	}
	tightened.Wait()
	for _, termination := range terminations {
		t.logTermination(ctx, termination, reports[reportID(termination)])
	}
	return page, nil
}

// logTermination reports a termination to the log and the metrics.
func (t *Terminator) logTermination(ctx context.Context, termination storage.Termination, r *storage.Report) {
	clients := make([]string, 0, len(termination.Session.ClientSessions))
	for _, cs := range termination.Session.ClientSessions {
		clients = append(clients, cs.Client)
	}
	t.log().
		InfoContext(ctx, "session ended", "sid", r.Session, "sub", r.Subject, "reason", r.Cause.Reason, "cause", r.Cause.ID,
			"report", r.ID, "by", r.Cause.By, "whole", r.WholeSession, "clients", clients)
	t.Observer.termination(*r)
}

// Preview counts what a selector would end, and changes nothing.
func (t *Terminator) Preview(ctx context.Context, sel storage.Selector) (storage.TerminationCount, error) {
	count, err := t.Store.CountTerminations(ctx, storage.Selection{Selector: sel, At: t.Now()})
	if err != nil {
		return storage.TerminationCount{}, fmt.Errorf("count terminations: %w", err)
	}
	return count, nil
}

// clientSubject returns the subject by which a client knows the user.
func (t *Terminator) clientSubject(termination storage.Termination, c *storage.Client) string {
	user := termination.User
	if user.Subject == "" {
		user.Subject = termination.Session.Subject
	}
	if t.SubjectFor == nil {
		return user.Subject
	}
	return t.SubjectFor(user, c)
}

func (t *Terminator) pageSize() int {
	if t.PageSize > 0 {
		return t.PageSize
	}
	return DefaultPageSize
}

func (t *Terminator) reportRetention() time.Duration {
	if t.ReportRetention > 0 {
		return t.ReportRetention
	}
	return DefaultReportRetention
}

func (t *Terminator) log() *slog.Logger {
	if t.Log == nil {
		return slog.Default()
	}
	return t.Log
}

func (t *Terminator) signalRun() {
	t.once.Do(func() { t.wakeRun = make(chan struct{}, 1) })
	select {
	case t.wakeRun <- struct{}{}:
	default:
	}
}
