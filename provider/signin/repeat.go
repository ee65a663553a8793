package signin

import (
	"context"
	"errors"
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
	byKey   map[string]*formStart
	ordered []*formStart // oldest first
}

// formStart is the request that tries to start the session of one sign-in form. Repeated requests wait for it.
type formStart struct {
	key       string // names the form: a sign-in page or an upstream's response, with the hash of its fields
	startedAt time.Time
	done      chan struct{} // closed when started and err are set
	started   startedSession
	err       error
}

// errNotFinished is the error of a start that panicked.
var errNotFinished = errors.New("the request of the same form did not finish")

// do calls start. If start has succeeded for the same form within repeatWindow, do returns that session instead and
// repeated is true. Requests of one form call start one after the other, until one of them succeeds.
func (s *startedSessions) do(
	ctx context.Context,
	key string,
	now time.Time,
	start func() (startedSession, error),
) (started startedSession, repeated bool, err error) {
	for {
		form, mustStart := s.begin(key, now)
		if mustStart {
			defer s.finish(form)
			form.started, form.err = start()
			return form.started, false, form.err
		}
		select {
		case <-form.done:
		case <-ctx.Done():
			return startedSession{}, false, ctx.Err()
		}
		if form.err == nil {
			return form.started, true, nil
		}
	}
}

// begin returns the formStart of a form. If there is none, begin makes one; then mustStart is true, and the caller must
// start the session and call finish.
func (s *startedSessions) begin(key string, now time.Time) (form *formStart, mustStart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	if form, ok := s.byKey[key]; ok {
		return form, false
	}
	form = &formStart{key: key, startedAt: now, done: make(chan struct{}), err: errNotFinished}
	if s.byKey == nil {
		s.byKey = map[string]*formStart{}
	}
	s.byKey[key] = form
	s.ordered = append(s.ordered, form)
	return form, true
}

// finish lets the waiting requests go on. If the start failed, it first makes room for the next of them.
func (s *startedSessions) finish(form *formStart) {
	if form.err != nil {
		s.remove(form)
	}
	close(form.done)
}

// remove removes a form that started no session.
func (s *startedSessions) remove(failed *formStart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleteKey(failed)
	s.ordered = slices.DeleteFunc(s.ordered, func(f *formStart) bool { return f == failed })
}

// forget removes the forms that are older than repeatWindow.
func (s *startedSessions) forget(now time.Time) {
	for len(s.ordered) > 0 {
		oldest := s.ordered[0]
		if now.Sub(oldest.startedAt) < repeatWindow {
			return
		}
		s.deleteKey(oldest)
		s.ordered = s.ordered[1:]
	}
}

// deleteKey removes a form from byKey, unless forget has removed it and a later request has taken its place.
func (s *startedSessions) deleteKey(form *formStart) {
	if s.byKey[form.key] == form {
		delete(s.byKey, form.key)
	}
}
