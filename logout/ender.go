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

// Endings is what an Ender needs of a store.
type Endings interface {
	EndSessions(ctx context.Context, sel storage.Selector, cause storage.Cause, at time.Time, change storage.Change, limit int, plan func(storage.Ended) storage.Plan) ([]storage.Ended, bool, error)
	CountEndings(ctx context.Context, sel storage.Selector, at time.Time) (storage.Count, error)
	ListEndings(ctx context.Context) ([]storage.Ending, error)
	NextDelivery(ctx context.Context) (time.Time, error)
	Sweep(ctx context.Context, at time.Time, limit int) (int, error)
	UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error
}

// DefaultPage is how many sessions a mass ending ends in one transaction.
const DefaultPage = 200

// DefaultKeepReports is how long reports are kept.
const DefaultKeepReports = 90 * 24 * time.Hour

// Ender ends sessions. It is used by pointer; Store, Now and Issuer are needed, everything else may be left out.
type Ender struct {
	Store        Endings
	Now          func() time.Time
	Wake         func()                                              // the dispatcher's
	Issuer       string                                              //
	SubjectFor   func(u storage.User, client *storage.Client) string // as the client knows the user; nil: the public subject
	Lifetimes    Lifetimes                                           // the deployment's, longest ones
	KeepReports  time.Duration                                       // 0: DefaultKeepReports
	SilentExpiry bool                                                // sessions that expire are not told to anyone
	Page         int                                                 // sessions in one transaction; 0: DefaultPage
	Log          *slog.Logger                                        // nil: slog.Default
	Observe      Observe

	once  sync.Once
	nudge chan struct{} // a mass ending has more pages
}

// Outcome is what an ending did. What it says is durable.
type Outcome struct {
	CauseID string
	At      time.Time       // t0
	Ended   []storage.Ended // of a mass ending: the first page
	Reports []string        // one for each of Ended
	More    bool            // further pages follow in the background; all of them are dead already
	issuer  string
}

// Frames are the frames of a front-channel logout for what ended.
func (o Outcome) Frames() []Frame { return Frames(o.issuer, o.Ended) }

// End applies change and ends what sel selects, now: everything derived from it is dead when End returns, and whoever has to be
// told stands in the outbox. Nothing selected is not an error. A cause without an ID is given one. It goes on when ctx is cancelled: whoever
// asked and hung up has asked. Errors are those of the change and of the store; after storage.ErrUnavailable the outcome is unknown, and the
// same ending can be asked for again.
func (e *Ender) End(ctx context.Context, sel storage.Selector, cause storage.Cause, change storage.Change) (Outcome, error) {
	if cause.ID == "" {
		cause.ID = rand.Text()
	}
	ctx = context.WithoutCancel(ctx)
	at := e.Now().UTC().Truncate(time.Millisecond)
	ended, more, err := e.endPage(ctx, sel, cause, at, change)
	if more || err != nil { // an error may hide a commit, and with it further pages
		e.signal()
	}
	if err != nil {
		return Outcome{}, err
	}
	committed := e.Now()
	if committed.Sub(at) > Visibility {
		e.lengthen(ctx, ended, committed)
	}
	if err := e.endBetween(ctx, sel, cause, committed.UTC().Truncate(time.Millisecond), change); err != nil {
		return Outcome{}, err
	}
	o := Outcome{CauseID: cause.ID, At: at, Ended: ended, More: more, issuer: e.Issuer}
	for _, one := range ended {
		o.Reports = append(o.Reports, reportID(one))
	}
	return o, nil
}

// endBetween ends, as of the commit of change, what began after t0 by what change has taken away since: a session by the old password, a code by
// the consent that is withdrawn. It waited for the same commit, or was quicker, and says truly that it began later.
func (e *Ender) endBetween(ctx context.Context, sel storage.Selector, cause storage.Cause, committed time.Time, change storage.Change) error {
	switch {
	case change.Withdraw != nil: // nobody can know of the codes
	case change.User != nil:
		if n, err := e.Store.CountEndings(ctx, sel, committed); err != nil || n == (storage.Count{}) {
			return err
		}
	default:
		return nil
	}
	cause.ID = rand.Text()
	_, more, err := e.endPage(ctx, sel, cause, committed, storage.Change{})
	if more || err != nil {
		e.signal()
	}
	return err
}

// endPage is the only call of EndSessions.
func (e *Ender) endPage(ctx context.Context, sel storage.Selector, cause storage.Cause, at time.Time, change storage.Change) ([]storage.Ended, bool, error) {
	reports := map[string]*storage.Report{} // as they were written; a plan that is made twice has the same
	ended, more, err := e.Store.EndSessions(ctx, sel, cause, at, change, e.page(), func(one storage.Ended) storage.Plan {
		p := Plan(e, one)
		reports[p.Report.ID] = p.Report
		return p
	})
	// An error may hide a commit, so the dispatcher looks then too.
	if e.Wake != nil && (err != nil || len(ended) > 0) {
		e.Wake()
	}
	if err != nil {
		return nil, false, fmt.Errorf("end sessions: %w", err)
	}
	for _, one := range ended {
		e.note(ctx, one, reports[reportID(one)])
	}
	return ended, more, nil
}

// lengthen corrects what was promised about cached answers where the commit took longer than [Visibility]: a resource server may have asked
// until then. Nobody has been told of the ending yet. The corrections are made together, so that they share a commit.
func (e *Ender) lengthen(ctx context.Context, ended []storage.Ended, committed time.Time) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, one := range ended {
		id := reportID(one)
		one.At = committed
		rows := slices.DeleteFunc(holders(one, e.Lifetimes), func(row storage.Row) bool { return row.Basis != BasisCache })
		if len(rows) == 0 {
			continue
		}
		all.Go(func() {
			err := e.Store.UpdateReport(ctx, id, func(r *storage.Report) {
				for _, row := range rows {
					if old := r.Row(row.Kind, row.Client); old != nil && row.Until.After(old.Until) {
						old.Trust, old.Until, old.Basis = row.Trust, row.Until, row.Basis
					}
				}
			})
			if err != nil {
				e.log().ErrorContext(ctx, "bound of cached answers not corrected", "report", id, "committed", committed, "err", err)
			}
		})
	}
}

// note tells log and metrics of something that ended.
func (e *Ender) note(ctx context.Context, ended storage.Ended, r *storage.Report) {
	clients := make([]string, 0, len(ended.Session.Members))
	for _, m := range ended.Session.Members {
		clients = append(clients, m.Client)
	}
	e.log().InfoContext(ctx, "session ended", "sid", r.Session, "sub", r.Subject, "reason", r.Cause.Reason, "cause", r.Cause.ID,
		"report", r.ID, "by", r.Cause.By, "whole", r.Whole, "clients", clients)
	e.Observe.ended(*r)
}

// Preview counts what an ending would end, and changes nothing.
func (e *Ender) Preview(ctx context.Context, sel storage.Selector) (storage.Count, error) {
	count, err := e.Store.CountEndings(ctx, sel, e.Now().UTC().Truncate(time.Millisecond))
	if err != nil {
		return storage.Count{}, fmt.Errorf("count endings: %w", err)
	}
	return count, nil
}

// subject is the user as a client knows them.
func (e *Ender) subject(ended storage.Ended, c *storage.Client) string {
	user := ended.User
	if user.Subject == "" {
		user.Subject = ended.Session.Subject
	}
	if e.SubjectFor == nil {
		return user.Subject
	}
	return e.SubjectFor(user, c)
}

func (e *Ender) page() int {
	if e.Page > 0 {
		return e.Page
	}
	return DefaultPage
}

func (e *Ender) keepReports() time.Duration {
	if e.KeepReports > 0 {
		return e.KeepReports
	}
	return DefaultKeepReports
}

func (e *Ender) log() *slog.Logger {
	if e.Log == nil {
		return slog.Default()
	}
	return e.Log
}

func (e *Ender) signal() {
	e.once.Do(func() { e.nudge = make(chan struct{}, 1) })
	select {
	case e.nudge <- struct{}{}:
	default:
	}
}
