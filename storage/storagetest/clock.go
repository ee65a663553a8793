package storagetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// clock.go runs random histories of operations, and sets the clock forward or back between any two of them. It compares
// the store with a model that knows only the order of the operations.

const (
	clockHistories = 30
	clockSteps     = 60
	longLife       = 1000 * 24 * time.Hour // so long that only codes expire in a history
)

var clockTests = map[string]func(*world){
	"ClockStepsDoNotChangeWhatIsRevoked": func(w *world) {
		for seed := range uint64(clockHistories) {
			h := &clockHistory{world: w.fresh(), random: rand.New(rand.NewPCG(seed, 0)), now: t0}
			h.mustUsers("ann", "bob")
			h.mustClients("app", "other")
			for range clockSteps {
				h.step()
				h.check()
				if w.Failed() {
					w.Fatalf("seed %d: %q", seed, h.log)
				}
			}
		}
	},
}

// clockHistory is one history with its model.
type clockHistory struct {
	*world
	random   *rand.Rand
	now      time.Time
	log      []string
	sessions []*modelSession
	grants   []*modelGrant
	codes    []*modelCode
	pending  []storage.EndRequest // bulk logouts under way
	started  []time.Time
}

type modelSession struct {
	id      storage.SessionID
	subject string
	revoked bool
	clients map[string]*modelClientSession // the current client session of each client
}

type modelClientSession struct {
	revoked bool
}

type modelGrant struct {
	code    storage.Code
	offline bool
	cs      *modelClientSession
	session *modelSession
	revoked bool // only of an offline grant: revoked by its user and client
}

type modelCode struct {
	storage.Code
	session *modelSession
	revoked bool
	used    bool
}

// step advances or sets the clock, and then does one random operation.
func (h *clockHistory) step() {
	if h.random.IntN(2) == 0 {
		h.setClock()
	} else {
		h.now = h.now.Add(time.Duration(h.random.IntN(3000)) * time.Millisecond)
	}
	switch h.random.IntN(9) {
	case 0:
		h.signIn()
	case 1:
		h.issueCode()
	case 2, 3:
		if code := h.issueCode(); code != nil {
			h.redeem(code, true)
		}
	case 4:
		if len(h.codes) > 0 {
			h.redeem(h.codes[h.random.IntN(len(h.codes))], false)
		}
	case 5:
		h.end()
	case 6:
		h.continueBulkLogouts()
	case 7:
		_, err := h.Sweep(h.ctx, h.now, 1+h.random.IntN(5))
		h.must(err)
		h.note("sweep")
	default:
		h.disableAndEnable([]string{"app", "other"}[h.random.IntN(2)])
	}
}

func (h *clockHistory) note(format string, args ...any) {
	h.log = append(h.log, h.now.Sub(t0).String()+" "+fmt.Sprintf(format, args...))
}

// setClock sets the clock forward or back, by a second to ten days.
func (h *clockHistory) setClock() {
	steps := []time.Duration{
		time.Second,
		30 * time.Second,
		90 * time.Second,
		time.Hour,
		3 * time.Hour,
		10 * 24 * time.Hour,
	}
	d := steps[h.random.IntN(len(steps))]
	if h.random.IntN(2) == 0 {
		d = -d
	}
	h.now = h.now.Add(d)
}

func (h *clockHistory) signIn() {
	session := newSession(h.id("s"), []string{"ann", "bob"}[h.random.IntN(2)], h.now)
	session.Sequence, session.IdleTimeout, session.Expires = h.sequence(), longLife, h.now.Add(longLife)
	h.note("%s signs in: %s", session.Subject, session.ID)
	h.must(h.CreateSession(h.ctx, session, storage.Event{At: h.now}))
	h.sessions = append(
		h.sessions,
		&modelSession{id: session.ID, subject: session.Subject, clients: map[string]*modelClientSession{}},
	)
}

// issueCode issues a code in a random active session; nil if there is none.
func (h *clockHistory) issueCode() *modelCode {
	active := slices.DeleteFunc(slices.Clone(h.sessions), func(s *modelSession) bool { return s.revoked })
	if len(active) == 0 {
		return nil
	}
	s := active[h.random.IntN(len(active))]
	code := &modelCode{Code: h.code(s.id, s.subject, []string{"app", "other"}[h.random.IntN(2)], h.now), session: s}
	h.note("%s for %s in %s", code.ID, code.Client, s.id)
	h.codes = append(h.codes, code)
	return code
}

// redeem redeems a code. If fresh is set, the redemption must succeed.
func (h *clockHistory) redeem(code *modelCode, fresh bool) {
	offline := h.random.IntN(3) == 0
	h.note("redeem %s, offline %v", code.ID, offline)
	again := code.Code
	if !fresh {
		again.SID = h.id("sid")
	}
	r, err := h.Redeem(
		h.ctx,
		again,
		h.now,
		func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
			out, err := issue(again, h.now)(session, cs)
			out.Tokens[0].Expires, out.Grant.Expires = h.now.Add(longLife), h.now.Add(longLife)
			if offline {
				out.Grant.Session = ""
			}
			return out, err
		},
	)
	switch {
	case err != nil && !errors.Is(err, storage.ErrRevoked):
		h.Error(err)
	case err != nil || r.Reused:
		if fresh {
			h.Errorf("a fresh code is refused: %v, reused %v", err, r.Reused)
		}
		return
	case code.used || code.revoked || code.session.revoked:
		h.Errorf(
			"code %s gives tokens, though used %v, revoked %v, session revoked %v",
			code.ID,
			code.used,
			code.revoked,
			code.session.revoked,
		)
	}
	code.used = true
	cs := code.session.clients[code.Client]
	if cs == nil || cs.revoked {
		cs = &modelClientSession{}
		code.session.clients[code.Client] = cs
	}
	h.grants = append(h.grants, &modelGrant{code: code.Code, offline: offline, cs: cs, session: code.session})
}

// end ends sessions by a random selector, in one page or in the first of several.
func (h *clockHistory) end() {
	var sel storage.Selector
	switch h.random.IntN(4) {
	case 0:
		sel.AllUsers = true
	case 1:
		sel.Subject = []string{"ann", "bob"}[h.random.IntN(2)]
	default:
		for _, s := range h.sessions {
			if h.random.IntN(3) == 0 {
				sel.Sessions = append(sel.Sessions, s.id)
			}
		}
		if len(sel.Sessions) == 0 {
			return
		}
	}
	if h.random.IntN(3) == 0 {
		sel.Client = "app"
	}
	sel.IncludeOffline = h.random.IntN(2) == 0
	h.endSessions(storage.EndRequest{Selector: sel, Cause: cause(h.id("cause"))}, h.random.IntN(3))
}

func (h *clockHistory) endSessions(req storage.EndRequest, limit int) {
	h.note("end %+v, %d at a time", req.Selector, limit)
	_, more, err := h.EndSessions(h.ctx, req, h.now, limit, noPlan)
	h.must(err)
	h.revoke(req.Selector)
	if more {
		req.Change = storage.Change{}
		h.pending, h.started = append(h.pending, req), append(h.started, h.now)
	}
}

// continueBulkLogouts ends the next page of the oldest bulk logout.
func (h *clockHistory) continueBulkLogouts() {
	if len(h.pending) == 0 {
		return
	}
	h.note("next page of %s", h.pending[0].Cause.ID)
	_, more, err := h.EndSessions(h.ctx, h.pending[0], h.started[0], 1, noPlan)
	h.must(err)
	if !more {
		h.pending, h.started = h.pending[1:], h.started[1:]
	}
}

// disableAndEnable disables a client, which ends its client sessions and grants, and enables it again.
func (h *clockHistory) disableAndEnable(id string) {
	stored, err := h.Client(h.ctx, id)
	h.must(err)
	c := *stored
	c.Disabled = true
	h.endSessions(storage.EndRequest{
		Selector: storage.Selector{Client: id, IncludeOffline: true},
		Cause:    cause(h.id("cause")),
		Change:   storage.Change{Client: &c},
	}, h.random.IntN(3))
	stored, err = h.Client(h.ctx, id)
	h.must(err)
	h.mustEnable(*stored)
}

// revoke marks everything in the model that a selector selects.
func (h *clockHistory) revoke(sel storage.Selector) {
	takes := func(s *modelSession) bool {
		return len(sel.Sessions) == 0 && (sel.Subject == "" || s.subject == sel.Subject) ||
			slices.Contains(sel.Sessions, s.id)
	}
	users := map[string]bool{}
	for _, s := range h.sessions {
		if !takes(s) || len(sel.Sessions) > 0 && s.revoked {
			continue
		}
		users[s.subject] = true
		if sel.Client == "" {
			s.revoked = true
		}
		for client, cs := range s.clients {
			cs.revoked = cs.revoked || sel.Client == "" || client == sel.Client
		}
	}
	for _, code := range h.codes {
		code.revoked = code.revoked || takes(code.session) && (sel.Client == "" || code.Client == sel.Client)
	}
	for _, g := range h.grants {
		if g.offline && sel.IncludeOffline && (sel.Client == "" || g.code.Client == sel.Client) {
			g.revoked = g.revoked ||
				len(sel.Sessions) == 0 && (sel.Subject == "" || g.session.subject == sel.Subject) ||
				users[g.session.subject]
		}
	}
}

// check compares the store with the model.
func (h *clockHistory) check() {
	for _, s := range h.sessions {
		if got := h.sessionActive(s.id, h.now); got == s.revoked {
			h.Errorf("session %s is active: %v", s.id, got)
		}
	}
	for _, g := range h.grants {
		tokenRevoked := g.session.revoked || g.cs.revoked || g.revoked
		if got := h.tokenActive(g.code, h.now); got == tokenRevoked {
			h.Errorf("token of %s is active: %v", g.code.ID, got)
		}
		grantRevoked := tokenRevoked && !g.offline || g.revoked
		if got := h.grantActive(g.code, h.now); got == grantRevoked {
			h.Errorf("grant of %s (offline %v) is active: %v", g.code.ID, g.offline, got)
		}
	}
}
