package fault

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is what a client knows about an operation.
type result int

const (
	accepted result = iota // the server said that it is done, or that the session is active
	refused                // the server said that the session is not active
	unknown                // no response, or a 5xx: it may have happened or not
)

// kind is an operation on a session.
type kind int

const (
	signIn kind = iota // creates the session
	use                // shows whether the session is active: introspection, a refresh, a silent sign-in
	redeem             // exchanges an authorization code
	end                // ends the session
)

// operation is one request as its client saw it.
type operation struct {
	session    int
	kind       kind
	what       string // for messages; of a redeem: the code
	start, end time.Duration
	result     result
}

// history is what all clients saw. It knows nothing of the server's inside: check judges by the times of requests and
// responses alone.
type history struct {
	mu         sync.Mutex
	began      time.Time
	operations []operation
	sessions   int
}

func newHistory() *history { return &history{began: time.Now()} }

// next returns an empty history that goes on counting sessions.
func (h *history) next() *history {
	fresh := newHistory()
	fresh.sessions = h.sessions
	return fresh
}

func (h *history) newSession() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions++
	return h.sessions
}

// record runs a request and notes it.
func (h *history) record(session int, k kind, what string, do func() result) result {
	start := time.Since(h.began)
	r := do()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, operation{session, k, what, start, time.Since(h.began), r})
	return r
}

// recordAll runs one request that ends many sessions and notes it for each.
func (h *history) recordAll(sessions []int, what string, do func() result) {
	start := time.Since(h.began)
	r := do()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, session := range sessions {
		h.operations = append(h.operations, operation{session, end, what, start, time.Since(h.began), r})
	}
}

// acknowledged counts the operations that the server confirmed.
func (h *history) acknowledged() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.operations {
		if o.result == accepted {
			n++
		}
	}
	return n
}

// accepted counts the operations of that name that the server accepted.
func (h *history) accepted(what string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.operations {
		if o.what == what && o.result == accepted {
			n++
		}
	}
	return n
}

// awaitAcknowledged waits until the server has confirmed n more operations: on a busy machine a fault would else meet
// no load.
func (h *history) awaitAcknowledged(n int) {
	for enough := h.acknowledged() + n; h.acknowledged() < enough; {
		time.Sleep(10 * time.Millisecond)
	}
}

// signedIn counts the sessions whose creation the server confirmed.
func (h *history) signedIn() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.operations {
		if o.kind == signIn && o.result == accepted {
			n++
		}
	}
	return n
}

// unanswered counts the operations without a result: the fault was felt.
func (h *history) unanswered() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.operations {
		if o.result == unknown {
			n++
		}
	}
	return n
}

// longest is the time of the slowest request.
func (h *history) longest() (d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.operations {
		d = max(d, o.end-o.start)
	}
	return d
}

// checkResult is what check found.
type checkResult struct {
	lost, revived, doubled []string
}

func (v checkResult) ok() bool { return len(v.lost)+len(v.revived)+len(v.doubled) == 0 }

func (v checkResult) String() string {
	return fmt.Sprintf("lost %d, revived %d, codes redeemed twice %d", len(v.lost), len(v.revived), len(v.doubled))
}

// examples names some of the faults.
func (v checkResult) examples() string {
	all := slices.Concat(v.lost, v.revived, v.doubled)
	return strings.Join(all[:min(len(all), 8)], "; ")
}

// check holds the history to three rules. A session whose end was acknowledged is accepted by no operation that
// starts later. A session whose creation was acknowledged is refused by no operation that is over before an end was
// asked for. A code is redeemed once.
func (h *history) check() (v checkResult) {
	h.mu.Lock()
	defer h.mu.Unlock()
	const never = time.Duration(1<<63 - 1)
	type times struct{ created, endAsked, ended time.Duration }
	of := map[int]*times{}
	for _, o := range h.operations {
		s := of[o.session]
		if s == nil {
			s = &times{never, never, never}
			of[o.session] = s
		}
		switch {
		case o.kind == signIn && o.result == accepted:
			s.created = min(s.created, o.end)
		case o.kind == end:
			s.endAsked = min(s.endAsked, o.start)
			if o.result == accepted {
				s.ended = min(s.ended, o.end)
			}
		}
	}
	redeemed := map[string]int{}
	for _, o := range h.operations {
		s := of[o.session]
		switch {
		case o.kind == redeem && o.result == accepted:
			if redeemed[o.what]++; redeemed[o.what] == 2 {
				v.doubled = append(v.doubled, fmt.Sprintf("session %d: a code", o.session))
			}
			fallthrough
		case o.kind == use && o.result == accepted:
			if o.start > s.ended {
				v.revived = append(
					v.revived,
					fmt.Sprintf("session %d: %s %s after its end", o.session, o.what, o.start-s.ended),
				)
			}
		case o.kind == use && o.result == refused:
			if o.start > s.created && o.end < s.endAsked {
				v.lost = append(
					v.lost,
					fmt.Sprintf("session %d: %s %s after the sign-in", o.session, o.what, o.start-s.created),
				)
			}
		}
	}
	return v
}
