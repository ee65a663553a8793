package fault

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// linear_test.go asks porcupine whether one store without replicas could have given the answers of a history.

// sessionState is one session in the model. used has a bit for each redeemed code.
type sessionState struct {
	phase sessionPhase
	used  uint64
}

type sessionPhase int

const (
	absent sessionPhase = iota
	active
	ended
)

// sessionOperation is an operation as input of the model. code is the code's number in its session.
type sessionOperation struct {
	kind kind
	what string
	code int
}

// sessionModel says which results an operation may have. An operation whose outcome is unknown may have happened at any
// time since its request.
var sessionModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{sessionState{}} },
	Step: func(from, in, out any) []any {
		state, operation, outcome := from.(sessionState), in.(sessionOperation), out.(result)
		after := state
		switch operation.kind {
		case signIn:
			after.phase = active
			if state.phase != absent {
				return nil
			}
		case use:
			if (outcome == accepted) != (state.phase == active) {
				return nil
			}
		case redeem:
			bit := uint64(1) << operation.code
			redeemable := state.phase == active && state.used&bit == 0
			if redeemable {
				after.used |= bit
			}
			if outcome == unknown {
				break
			}
			if (outcome == accepted) != redeemable {
				return nil
			}
		case end:
			if state.phase == absent && outcome != unknown {
				return nil
			}
			if state.phase == active {
				after.phase = ended
			}
		}
		if outcome == unknown {
			return []any{state, after}
		}
		return []any{after}
	},
}

// codesOfSession is how many codes of one session the model can distinguish.
const codesOfSession = 64

// linearityTimeout bounds the search for one session.
const linearityTimeout = time.Minute

// isLinear reports whether the operations of one session are those of a single store.
func isLinear(list []porcupine.Operation) bool {
	return porcupine.CheckOperationsTimeout(sessionModel.ToModel(), list, linearityTimeout) == porcupine.Ok
}

// mustBeLinear lets the test fail for each session whose operations no single store could have answered like that. It
// returns how many sessions and operations it has checked.
func (h *history) mustBeLinear(t testing.TB) (sessions, operations, illegal int) {
	t.Helper()
	for session, list := range h.porcupine() {
		switch porcupine.CheckOperationsTimeout(sessionModel.ToModel(), list, linearityTimeout) {
		case porcupine.Ok:
			sessions++
			operations += len(list)
		case porcupine.Unknown:
			t.Errorf("session %d: its %d operations are too many to decide", session, len(list))
		case porcupine.Illegal:
			illegal++
			t.Errorf("session %d: its history is illegal:\n%s", session, describe(list))
		}
	}
	return sessions, operations, illegal
}

// porcupine returns the operations of each session. It leaves out operations without an outcome that change nothing.
func (h *history) porcupine() map[int][]porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := map[int][]porcupine.Operation{}
	codes := map[int][]string{}
	for _, o := range h.operations {
		if o.result == unknown && (o.kind == use || o.kind == signIn) {
			continue // after an unknown sign-in the browser has no session to use
		}
		in := sessionOperation{kind: o.kind, what: o.what}
		if o.kind == redeem {
			in.what = "a code"
			if in.code = slices.Index(codes[o.session], o.what); in.code < 0 {
				in.code = len(codes[o.session])
				codes[o.session] = append(codes[o.session], o.what)
			}
			if in.code >= codesOfSession {
				continue
			}
		}
		call, ret := o.start.Nanoseconds(), o.end.Nanoseconds()
		if o.result == unknown {
			ret = math.MaxInt64
		}
		of[o.session] = append(of[o.session], porcupine.Operation{Input: in, Output: o.result, Call: call, Return: ret})
	}
	return of
}

// describe writes the operations of one session, in the order of their requests.
func describe(list []porcupine.Operation) string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := ""
	for _, o := range list {
		in := o.Input.(sessionOperation)
		text += fmt.Sprintf(
			"%v to %v: %s (code %d): %s\n",
			time.Duration(o.Call), time.Duration(o.Return), in.what, in.code, o.Output.(result),
		)
	}
	return text
}

func (r result) String() string { return [...]string{"accepted", "refused", "unknown"}[r] }

// wideEnd is a request that ends all sessions of a user; of all users without a name.
type wideEnd struct {
	user       string
	what       string
	start, end time.Duration
	result     result
}

// wideEnds are the requests of a history that end sessions of many visitors.
type wideEnds struct {
	ends []wideEnd
}

// expand notes each wide end in the history for every session that it may have ended. For a session that was being
// created meanwhile the outcome is unknown. userOf names the user of a session.
func (w wideEnds) expand(h *history, userOf map[int]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var more []operation
	for _, e := range w.ends {
		for _, o := range h.operations {
			if o.kind != signIn || o.result != accepted || (e.user != "" && userOf[o.session] != e.user) {
				continue
			}
			switch {
			case o.end < e.start:
				more = append(more, operation{o.session, end, e.what, e.start, e.end, e.result})
			case e.result == unknown || o.start < e.end:
				more = append(more, operation{o.session, end, e.what, e.start, e.end, unknown})
			}
		}
	}
	h.operations = append(h.operations, more...)
}
