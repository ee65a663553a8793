package signin

import (
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// repeatWindow is how long a sign-in form that is sent again gives the session of the first time.
const repeatWindow = 10 * time.Second

// startedSession is a session that a sign-in form has started, and its cookie secret.
type startedSession struct {
	session storage.Session
	secret  string
}

// startedSessions makes a sign-in form that is sent twice, as by a double click, start one session. Both answers set
// the same cookie, so that the session works whichever the browser keeps. Each request has proven who the user is by
// itself.
type startedSessions struct {
	mu      sync.Mutex
	byForm  map[string]*formStart
	ordered []*formStart // in the order in which they began
}

type formStart struct {
	form    string
	begun   time.Time
	done    chan struct{} // closed when started and err are set
	started startedSession
	err     error
}

// do returns what start returned for the same form within repeatWindow, or calls start. A start that failed is not
// repeated.
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
	first := &formStart{form: form, begun: now, done: make(chan struct{})}
	if s.byForm == nil {
		s.byForm = map[string]*formStart{}
	}
	s.byForm[form] = first
	s.ordered = append(s.ordered, first)
	s.mu.Unlock()

	defer close(first.done)
	first.started, first.err = start()
	return first.started, false, first.err
}

// forget drops the forms that are older than repeatWindow.
func (s *startedSessions) forget(now time.Time) {
	for len(s.ordered) > 0 && now.Sub(s.ordered[0].begun) >= repeatWindow {
		delete(s.byForm, s.ordered[0].form)
		s.ordered = s.ordered[1:]
	}
}
