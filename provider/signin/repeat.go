package signin

import (
	"slices"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// repeatWindow is how long a repeated sign-in form gets the session that the first request of the form started.
const repeatWindow = 10 * time.Second

// startedSession is a session that a sign-in form started, with its cookie secret.
type startedSession struct {
	session        storage.Session
	secret         string
	cookieLifetime time.Duration
	recoveryCodes  []string // new recovery codes, which the next page shows once
}

// startedSessions lets a sign-in form that is sent twice, for example by a double click, start only one session. Both
// responses set the same cookie, because the browser may keep either of them. Only forms in progress and forms that
// started a session take memory.
type startedSessions struct {
	mu      sync.Mutex
	byForm  map[string]*formStart
	ordered []*formStart // oldest first
}

// formStart is the first request of one sign-in form. Repeated requests wait for it.
type formStart struct {
	form      string
	startedAt time.Time
	done      chan struct{} // closed when started and err are set
	started   startedSession
	err       error
}

// do calls start. If start has succeeded for the same form within repeatWindow, do returns that session instead and
// repeated is true.
func (s *startedSessions) do(
	form string,
	now time.Time,
	start func() (startedSession, error),
) (started startedSession, repeated bool, err error) {
	s.mu.Lock()
	s.forget(now)
	if first, ok := s.byForm[form]; ok {
		s.mu.Unlock()
		<-first.done
		if first.err == nil {
			return first.started, true, nil
		}
		started, err = start()
		return started, false, err
	}
	first := &formStart{form: form, startedAt: now, done: make(chan struct{})}
	if s.byForm == nil {
		s.byForm = map[string]*formStart{}
	}
	s.byForm[form] = first
	s.ordered = append(s.ordered, first)
	s.mu.Unlock()

	defer close(first.done)
	first.started, first.err = start()
	if first.err != nil {
		s.remove(first)
	}
	return first.started, false, first.err
}

// remove removes a form that started no session.
func (s *startedSessions) remove(failed *formStart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byForm[failed.form] == failed {
		delete(s.byForm, failed.form)
	}
	s.ordered = slices.DeleteFunc(s.ordered, func(f *formStart) bool { return f == failed })
}

// forget removes the forms that are older than repeatWindow.
func (s *startedSessions) forget(now time.Time) {
	for len(s.ordered) > 0 {
		oldest := s.ordered[0]
		if now.Sub(oldest.startedAt) < repeatWindow {
			return
		}
		if s.byForm[oldest.form] == oldest {
			delete(s.byForm, oldest.form)
		}
		s.ordered = s.ordered[1:]
	}
}
