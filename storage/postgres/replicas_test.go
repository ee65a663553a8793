package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/curfew-id/curfew/conformance/pgserver"
	"github.com/curfew-id/curfew/storage"
)

// replicas_test.go plays random operations at three replicas, which lose connections and their database meanwhile, and
// checks with porcupine that each history is one that a single store could have shown.

const (
	historyRounds   = 4
	historySessions = 5
	historyWorkers  = 6
	historyOps      = 40                    // of each worker
	historyPause    = 30 * time.Millisecond // after an operation that found no database
)

// The operations of a history. All belong to one user.
const (
	opCreate = iota
	opRead
	opRedeem
	opEnd
	opEndUser
)

type historyInput struct{ op, session int }

// historyOutput is what the caller learned.
type historyOutput struct{ done, unknown bool }

// historyState has the state of each session.
type historyState [historySessions]byte

const (
	sessionAbsent = iota
	sessionActive
	sessionEnded
)

// historyModel is a store with one user's sessions. An operation whose outcome is unknown may have taken effect.
var historyModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{historyState{}} },
	Step: func(from, in, out any) []any {
		state, input, output := from.(historyState), in.(historyInput), out.(historyOutput)
		after := state
		switch input.op {
		case opRead, opRedeem:
			if output.done != (state[input.session] == sessionActive) {
				return nil
			}
			return []any{state}
		case opCreate:
			if state[input.session] != sessionAbsent {
				return nil
			}
			after[input.session] = sessionActive
		case opEnd:
			if after[input.session] == sessionActive {
				after[input.session] = sessionEnded
			}
		case opEndUser:
			for i := range after {
				if after[i] == sessionActive {
					after[i] = sessionEnded
				}
			}
		}
		switch {
		case output.unknown:
			return []any{state, after}
		case output.done:
			return []any{after}
		default: // a sign-in that began before the user was ended is refused
			return []any{state}
		}
	},
}

func TestHistoriesOfReplicasAreLegal(t *testing.T) {
	mustServer(t) // skips where PostgreSQL is missing
	server, err := pgserver.Start()
	must(t, err)
	defer func() { must(t, server.Close()) }()
	var replicas []*Store
	var wires []*wire
	for range 3 {
		w, through := mustWire(t, server.URL())
		o := Options{URL: through, Unprepared: true, Timeout: 2 * time.Second, MaxConns: 4}
		replicas, wires = append(replicas, mustOpen(t, o)), append(wires, w)
	}
	must(t, replicas[0].PutClient(t.Context(), storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	for round := range historyRounds {
		user := fmt.Sprint("user", round)
		must(t, replicas[0].PutUser(t.Context(), storage.User{Subject: user, Name: user}))
		history := playHistory(t, replicas, wires, server, user, uint64(round))
		result := porcupine.CheckOperationsTimeout(historyModel.ToModel(), history, time.Minute)
		if result != porcupine.Ok {
			t.Fatalf("round %d: the history of %d operations is %v:\n%+v", round, len(history), result, history)
		}
		t.Logf("round %d: %d operations, legal", round, len(history))
	}
}

// playHistory lets workers do random operations at random replicas while faults happen.
func playHistory(
	t *testing.T, replicas []*Store, wires []*wire, server *pgserver.Server, user string, seed uint64,
) (history []porcupine.Operation) {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	begun := time.Now()
	created := make([]sync.Once, historySessions)
	for i := range historySessions - 2 { // before the faults begin; workers create the others
		created[i].Do(func() {})
		input := historyInput{op: opCreate, session: i}
		call := time.Since(begun)
		if output, ok := play(t, replicas[0], user, input, "first"); !ok || !output.done {
			t.Fatalf("session %d is not created: %+v", i, output)
		}
		history = append(history, porcupine.Operation{
			Input:  input,
			Output: historyOutput{done: true},
			Call:   call.Nanoseconds(),
			Return: time.Since(begun).Nanoseconds(),
		})
	}
	for worker := range historyWorkers {
		random := rand.New(rand.NewPCG(seed, uint64(worker)))
		workers.Go(func() {
			for n := range historyOps {
				s := replicas[random.IntN(len(replicas))]
				input := historyInput{op: []int{opRead, opRead, opRead, opRedeem, opRedeem, opRedeem, opEnd, opEndUser}[random.IntN(8)], session: random.IntN(historySessions)}
				created[input.session].Do(func() { input.op = opCreate })
				call := time.Since(begun)
				output, ok := play(t, s, user, input, fmt.Sprint(user, "-", worker, "-", n))
				ret := time.Since(begun)
				if output.unknown {
					ret = time.Hour // it may take effect later
				}
				if output.unknown || !ok {
					time.Sleep(historyPause)
				}
				if !ok {
					continue
				}
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: worker, Input: input, Output: output, Call: call.Nanoseconds(), Return: ret.Nanoseconds(),
				})
				mu.Unlock()
			}
		})
	}
	over := make(chan struct{})
	var faults sync.WaitGroup
	faults.Go(func() {
		random := rand.New(rand.NewPCG(seed, 1000))
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
			w := wires[random.IntN(len(wires))]
			switch random.IntN(3) {
			case 0:
				w.loseReply.Store(true)
			case 1:
				w.loseAll.Store(true)
			default:
				if n%6 != 5 {
					continue
				}
				server.Kill()
				if err := server.Restart(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	workers.Wait()
	close(over)
	faults.Wait()
	for _, w := range wires {
		w.loseReply.Store(false)
		w.loseAll.Store(false)
	}
	return history
}

// play does one operation. ok is false if nothing can be concluded from its outcome.
func play(t *testing.T, s *Store, user string, input historyInput, id string) (output historyOutput, ok bool) {
	ctx := t.Context()
	session := newSession(fmt.Sprint(user, "-session", input.session))
	session.Subject = user
	sequence, err := s.Sequence(ctx)
	if err != nil {
		return historyOutput{}, false
	}
	switch input.op {
	case opCreate:
		if session.Sequence = sequence; err == nil {
			err = s.CreateSession(ctx, session, storage.Event{At: start, Kind: "session.created", Subject: user})
		}
	case opRead:
		_, err = s.Session(ctx, session.ID, start)
	case opRedeem:
		code := newCode(id, sequence)
		code.Subject, code.Session = user, session.ID
		_, err = s.Redeem(ctx, code, start, issue(code))
	case opEnd, opEndUser:
		req := endRequest(storage.Selector{Sessions: []storage.SessionID{session.ID}})
		if input.op == opEndUser {
			req.Selector = storage.Selector{Subject: user}
		}
		req.Cause.ID = id
		_, _, err = s.EndSessions(ctx, req, start, 0, nil)
	}
	changes := input.op == opCreate || input.op == opEnd || input.op == opEndUser
	switch {
	case err == nil:
		return historyOutput{done: true}, true
	case errors.Is(err, storage.ErrUnavailable):
		return historyOutput{unknown: true}, changes
	case errors.Is(err, storage.ErrRevoked), errors.Is(err, storage.ErrNotFound):
		return historyOutput{}, true
	default:
		t.Errorf("operation %+v: %v", input, err)
		return historyOutput{}, false
	}
}
