package logout

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
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
	AdvanceDelivery(
		ctx context.Context,
		id string,
		at time.Time,
		update func(storage.ReportEntry) storage.ReportEntry,
	) error
}

// DefaultPageSize is how many sessions a bulk logout ends in one transaction.
const DefaultPageSize = 200

// firstPageSize is how many sessions the first transaction ends if a termination spans all users. That transaction
// revokes all selected sessions, so it should be small and quick.
const firstPageSize = 10

// DefaultReportRetention is how long reports are kept.
const DefaultReportRetention = 90 * 24 * time.Hour

// Terminator ends sessions. Use it by pointer. Store, Now and Issuer are required.
type Terminator struct {
	Store  SessionStore
	Now    func() time.Time
	Issuer string

	// Wake is called when deliveries were stored: Dispatcher.Wake. Nil: nothing is called.
	Wake func()
	// Behind is Dispatcher.Behind: while it returns true, pages of a bulk logout wait. Nil: they do not wait.
	Behind func() bool
	// SubjectFor returns the user's subject identifier at a client. Nil: the public one.
	SubjectFor func(u storage.User, client *storage.Client) string
	// SilentExpiry: relying parties are not notified of sessions that expire.
	SilentExpiry bool

	Lifetimes       Lifetimes
	RedirectDelay   time.Duration // the longest wait of the signed-out page before it returns to the client
	ReportRetention time.Duration // 0: DefaultReportRetention
	PageSize        int           // number of sessions in one transaction; 0: DefaultPageSize
	Log             *slog.Logger  // nil: slog.Default
	Observer        Observer

	once       sync.Once     // creates wakeRun
	wakeRun    chan struct{} // signals that a bulk logout has more pages
	enforcedBy enforcedTimes // of bulk logouts that are under way
}

// Result describes the terminations of a call of End. They are on disk.
type Result struct {
	CauseID      string
	EndedAt      time.Time                // Termination.EndedAt
	Terminations []storage.Termination    // of a bulk logout: only those of the first page
	ReportIDs    []string                 // one for each of Terminations
	More         bool                     // further pages follow in the background; their sessions have ended too
	Count        storage.TerminationCount // counts Terminations
	issuer       string
	returning    returningClient
}

// Frames returns the frames of a front-channel logout for the terminations, except for a client session that IsPutOff.
func (r Result) Frames() []Frame {
	return slices.DeleteFunc(Frames(r.issuer, r.Terminations), func(f Frame) bool { return r.IsPutOff(f.SID) })
}

// End applies the change of req and ends the sessions and grants that its selector selects. When it returns, all their
// tokens are revoked, and the deliveries to relying parties are stored. It is not an error if the selector selects
// nothing. If the cause has no ID, End sets one.
//
// The errors are those of the change and of the store. After storage.ErrUnavailable the outcome is unknown, and the
// caller may repeat the request.
func (t *Terminator) End(ctx context.Context, req storage.EndRequest) (Result, error) {
	if req.Cause.ID == "" {
		req.Cause.ID = rand.Text()
	}
	ctx = context.WithoutCancel(ctx) // a logout counts even if the browser closes the connection
	at := t.Now().UTC().Truncate(time.Millisecond)
	limit := t.pageSize()
	if (storage.Selection{Selector: req.Selector}).SpansAllUsers() {
		limit = min(limit, firstPageSize)
	}
	page, err := t.endPage(ctx, req, at, limit, time.Time{})
	if page.more {
		t.enforcedBy.set(req.Cause.ID, page.committedAt)
	}
	if page.more || err != nil { // after an error the commit may have been made, and further pages may exist
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
		returning:    page.returning,
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
	returning    returningClient
}

// endPage calls EndSessions for up to limit sessions; no other function does. enforcedBy (see Plan) is known for the
// later pages of a bulk logout: the first commit of the bulk logout revoked all its tokens. Otherwise it is zero.
func (t *Terminator) endPage(
	ctx context.Context,
	req storage.EndRequest,
	at time.Time,
	limit int,
	enforcedBy time.Time,
) (endedPage, error) {
	var returning returningClient
	reports := map[string]*storage.Report{} // by ID; a plan that is made twice gives the same report
	plan := func(termination storage.Termination) storage.Plan {
		p := Plan(t, termination, enforcedByCause(termination, req.Cause, enforcedBy))
		if found := t.planInitiator(&p, termination, req.Initiator); found.sid != "" {
			returning = found
		}
		reports[p.Report.ID] = p.Report
		return p
	}
	terminations, more, err := t.Store.EndSessions(ctx, req, at, limit, plan)
	// After an error the commit may have been made: the dispatcher must look for deliveries then too.
	if t.Wake != nil && (err != nil || len(terminations) > 0) {
		t.Wake()
	}
	if err != nil {
		return endedPage{}, fmt.Errorf("end sessions: %w", err)
	}
	page := endedPage{
		terminations: terminations,
		more:         more,
		committedAt:  t.Now(),
		returning:    returning,
	}
	var tightened sync.WaitGroup // the updates run at the same time, so that they go into one commit
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
	t.log().InfoContext(
		ctx,
		"session ended",
		"sid", r.SessionHash,
		"sub", r.Subject,
		"reason", r.Cause.Reason,
		"cause", r.Cause.ID,
		"report", r.ID,
		"by", r.Cause.By,
		"whole", r.WholeSession,
		"clients", clients,
	)
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

// clientSubject returns the user's subject identifier at a client: the one in the tokens of the client session.
func (t *Terminator) clientSubject(
	termination storage.Termination,
	cs storage.ClientSession,
	c *storage.Client,
) string {
	if cs.ClientSubject != "" {
		return cs.ClientSubject
	}
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

// signalRun makes Run look for bulk logouts. It never blocks, and may be called before Run.
func (t *Terminator) signalRun() {
	t.once.Do(func() { t.wakeRun = make(chan struct{}, 1) })
	select {
	case t.wakeRun <- struct{}{}:
	default:
	}
}
