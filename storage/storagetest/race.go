package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The race tests use a session from parallel callers while it ends. An operation that starts after the termination has
// returned must not succeed.
var raceTests = map[string]func(*world){
	"NoUseOfASessionSucceedsAfterItsTerminationReturned": func(w *world) {
		for name, sel := range map[string]storage.Selector{
			"session":        {Sessions: sessionsNamed("s")},
			"user":           {Subject: "ann"},
			"user+off":       {Subject: "ann", IncludeOffline: true},
			"everyone":       {AllUsers: true},
			"client session": {Sessions: sessionsNamed("s"), Client: "app"},
			"client":         {Client: "app"},
			"mass user":      {Subject: "ann", IncludeOffline: true},
		} {
			limit := 0
			if name == "mass user" {
				limit = 1
			}
			w.race(name, sel, limit)
		}
	},
	"OneOfManyTerminationsEndsASession": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		for i := range 20 {
			id := w.mustSession(fmt.Sprint("s", i), "ann", t0)
			w.mustRedeem(id, "ann", "app", t0)
		}
		var endedCount atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				sel := storage.Selector{Subject: "ann"}
				if i%2 == 0 {
					sel = storage.Selector{Sessions: []storage.SessionID{storage.SessionID(fmt.Sprint("s", i))}}
				}
				list, _, err := w.EndSessions(
					w.ctx,
					storage.EndRequest{Selector: sel, Cause: cause(fmt.Sprint(i))},
					t0,
					0,
					noPlan,
				)
				if err != nil {
					w.Error(err)
				}
				endedCount.Add(int32(len(list)))
			})
		}
		wg.Wait()
		mustEqual(w, "ended", endedCount.Load(), 20)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "session.ended"})), 20)
	},
	"EveryClientThatGotTokensIsInTheTermination": func(w *world) {
		w.mustUsers("ann")
		var clients []string
		for i := range 20 {
			clients = append(clients, fmt.Sprint("app", i))
		}
		w.mustClients(clients...)
		id := w.mustSession("s", "ann", t0)
		var wg sync.WaitGroup
		var mu sync.Mutex
		joined, notified := map[string]bool{}, map[string]bool{}
		for i, client := range clients {
			code := w.code(id, "ann", client, t0)
			wg.Go(func() {
				if _, err := w.Redeem(w.ctx, code, t0, issue(code, t0)); err == nil {
					mu.Lock()
					defer mu.Unlock()
					joined[client] = true
				} else if !errors.Is(err, storage.ErrRevoked) {
					w.Error(err)
				}
			})
			if i == len(clients)/2 {
				wg.Go(func() {
					terminations, _, err := w.EndSessions(w.ctx, storage.EndRequest{
						Selector: storage.Selector{Sessions: []storage.SessionID{id}},
						Cause:    cause("x"),
					}, t0, 0, noPlan)
					if err != nil {
						w.Error(err)
					}
					for _, cs := range terminations[0].Session.ClientSessions {
						notified[cs.Client] = true
					}
				})
			}
		}
		wg.Wait()
		mustEqual(w, "notified", notified, joined)
	},
}

// race ends what sel selects while workers use the session s of ann, its codes, tokens and grants.
func (w *world) race(name string, sel storage.Selector, limit int) {
	world := w.fresh()
	world.mustUsers("ann")
	world.mustClients("app")
	id := world.mustSession("s", "ann", t0)
	world.mustSession("t", "ann", t0)
	world.mustRedeem("t", "ann", "app", t0)
	base := world.mustRedeem(id, "ann", "app", t0)
	at := after(time.Second)
	whole := sel.Client == ""

	var over atomic.Bool
	var wg sync.WaitGroup
	worker := func(what string, do func(n int) error) {
		wg.Go(func() {
			for n, afterEnd := 0, 0; afterEnd < 3; n++ {
				started := over.Load()
				err := do(n)
				if started {
					afterEnd++
				}
				if err == nil && started {
					w.Errorf("%s: %s succeeded though it started after the end", name, what)
				}
				if err != nil && !errors.Is(err, storage.ErrRevoked) && !errors.Is(err, storage.ErrNotFound) {
					w.Errorf("%s: %s: %v", name, what, err)
				}
			}
		})
	}
	code := func(worker string, n int) storage.Code {
		id := fmt.Sprint(worker, n)
		return storage.Code{
			ID:      id,
			Client:  "app",
			Subject: "ann",
			Session: "s",
			SID:     "sid of " + id,
			Issued:  t0,
			Expires: after(time.Minute),
		}
	}
	for i := range 2 {
		worker("redeem", func(n int) error {
			c := code(fmt.Sprint("redeem", i, "-"), n)
			_, err := world.Redeem(world.ctx, c, at, issue(c, at))
			return err
		})
	}
	worker("join", func(n int) error {
		c := code("join", n)
		_, err := world.Join(world.ctx, c, at, issue(c, at))
		return err
	})
	worker("refresh", func(n int) error {
		token := fmt.Sprint("r", n-1)
		if n == 0 {
			token = "refresh of " + base.ID
		}
		_, err := world.refresh(token, fmt.Sprint("r", n), "app", at)
		return err
	})
	worker("token", func(int) error {
		_, _, err := world.Token(world.ctx, storage.HashOf("token of "+base.ID), at)
		return err
	})
	worker("active grant", func(int) error {
		_, err := world.ActiveGrant(world.ctx, "grant of "+base.ID, base.SID, at)
		return err
	})
	worker("session by sid", func(int) error {
		_, _, err := world.SessionBySID(world.ctx, base.SID, at)
		return err
	})
	if whole {
		worker("reauthenticate", func(n int) error {
			_, err := world.Reauthenticate(world.ctx, id, storage.Authentication{
				SecretHash:  storage.HashOf(fmt.Sprint(n)),
				IdleTimeout: time.Hour,
				Expires:     after(time.Hour),
			}, at, storage.Event{At: at})
			return err
		})
		worker("session", func(int) error {
			_, err := world.Session(world.ctx, id, at)
			return err
		})
	}
	var terminations []storage.Termination
	for more, first := true, true; more; first = false {
		var page []storage.Termination
		var err error
		page, more, err = world.EndSessions(
			world.ctx,
			storage.EndRequest{Selector: sel, Cause: cause("race")},
			at,
			limit,
			noPlan,
		)
		if err != nil {
			w.Error(err)
			break
		}
		terminations = append(terminations, page...)
		if first {
			over.Store(true)
		}
	}
	over.Store(true)
	wg.Wait()
	if len(terminations) == 0 {
		w.Errorf("%s: nothing ended", name)
	}
	world.events(storage.EventFilter{})
}
