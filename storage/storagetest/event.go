package storagetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var eventTests = map[string]func(*world){
	"AuditTrailIsOneChainUnderParallelWriters": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				id := storage.SessionID(fmt.Sprint("s", i))
				created := storage.Event{At: t0, Kind: "session.created", Subject: "ann"}
				if err := w.CreateSession(w.ctx, newSession(string(id), "ann", t0), created); err != nil {
					w.Error(err)
				}
				made := storage.Event{At: t0, Kind: "key.made"}
				active := storage.Event{At: t0, Kind: "key.active", Detail: map[string]string{"b": "2", "a": "1"}}
				if err := w.AppendEvents(w.ctx, made, active); err != nil {
					w.Error(err)
				}
				req := storage.EndRequest{
					Selector: storage.Selector{Sessions: sessionsNamed(id)},
					Cause:    cause("x"),
				}
				if _, _, err := w.EndSessions(w.ctx, req, t0, 0, noPlan); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		mustEqual(w, "lines", len(w.events(storage.EventFilter{})), 40)
		w.restart()
		w.must(w.AppendEvents(w.ctx, storage.Event{At: t0, Kind: "key.gone"}))
		mustEqual(w, "lines", len(w.events(storage.EventFilter{})), 41)
	},
	"RefusedWriteLeavesNoLine": func(w *world) {
		w.mustUsers("ann")
		w.mustSession("s", "ann", t0)
		w.mustBe(
			w.CreateSession(w.ctx, newSession("s", "ann", t0), storage.Event{Kind: "session.created"}),
			storage.ErrExists,
		)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{})), 1)
	},
	"RecordAndItsAuditLineAreOneTransaction": func(w *world) {
		user := storage.User{Subject: "ann", Name: "ann"}
		app, dynamic := storage.Client{
			Metadata: storage.Metadata{ClientID: "app"},
		}, storage.Client{
			Metadata: storage.Metadata{ClientID: "dyn"},
		}
		token := storage.InitialAccessToken{Hash: storage.HashOf("initial"), Name: "suite", UsesLeft: 2}
		line := func(kind string) storage.Event { return storage.Event{At: t0, Kind: kind} }
		w.must(w.PutInitialAccessToken(w.ctx, token, line("initial_token.created")))
		for _, write := range []func() error{
			func() error { return w.PutUser(w.ctx, user, line("user.created")) },
			func() error { return w.PutClient(w.ctx, app, line("client.created")) },
			func() error { return w.RegisterClient(w.ctx, dynamic, token.Hash, t0, line("client.registered")) },
			func() error { return w.DeleteInitialAccessToken(w.ctx, "other", line("initial_token.removed")) },
		} {
			lines := len(w.events(storage.EventFilter{}))
			for range 2 { // the second time it is refused
				if err := write(); err == nil {
					lines++
				}
				mustEqual(w, "lines", len(w.events(storage.EventFilter{})), lines)
			}
		}
		w.must(w.DeleteInitialAccessToken(w.ctx, "suite", line("initial_token.removed")))
		var kinds []string
		for _, e := range w.events(storage.EventFilter{}) {
			kinds = append(kinds, e.Kind)
		}
		mustEqual(w, "lines", kinds, []string{
			"initial_token.created",
			"user.created",
			"client.created",
			"client.registered",
			"initial_token.removed",
		})
	},
	"OldLinesAreRemovedFromTheBeginningWithASignedRemoval": func(w *world) {
		key := storage.AuditKey("the key of a test")
		w.SetAuditKey(key)
		for i := range 6 {
			line := storage.Event{At: after(time.Duration(i) * time.Hour), Kind: "session.created", Subject: "ann"}
			w.must(w.AppendEvents(w.ctx, line))
		}
		lines := w.events(storage.EventFilter{})
		list := func(f storage.EventFilter) []storage.Event {
			w.Helper()
			events, _, err := w.ListEvents(w.ctx, f, storage.Page{})
			w.must(err)
			return events
		}
		mustRemove := func(before time.Time, limit, want, wantUpTo int) {
			w.Helper()
			removed, err := w.RemoveEvents(w.ctx, before, after(50*time.Hour), limit)
			w.must(err)
			mustEqual(w, "removed lines", removed, want)
			text, err := w.EventRemoval(w.ctx)
			w.must(err)
			removal, err := storage.ParseRemoval(text, key)
			w.must(err)
			wantRemoval := storage.Checkpoint{
				Seq:  uint64(wantUpTo),
				Hash: lines[wantUpTo-1].Hash,
				At:   after(50 * time.Hour),
			}
			mustEqual(w, "removal", removal, wantRemoval)
			mustEqual(w, "lines", list(storage.EventFilter{}), lines[wantUpTo:])
			mustEqual(w, "lines of ann", list(storage.EventFilter{Subject: "ann"}), lines[wantUpTo:])
		}
		removed, err := w.RemoveEvents(w.ctx, t0, after(50*time.Hour), 100)
		w.must(err)
		text, err := w.EventRemoval(w.ctx)
		w.must(err)
		mustEqual(w, "removed lines", removed, 0)
		mustEqual(w, "removal of nothing", text, "")

		mustRemove(after(3*time.Hour), 2, 2, 2)   // no more than the limit
		mustRemove(after(3*time.Hour), 2, 1, 3)   // the line at three hours is not older
		mustRemove(after(90*time.Hour), 10, 2, 5) // the last line stays
		w.restart()
		w.SetAuditKey(key)
		w.must(w.AppendEvents(w.ctx, storage.Event{At: after(60 * time.Hour), Kind: "key.made"}))
		rest := list(storage.EventFilter{})
		mustEqual(w, "the next line follows", rest[1].Follows(lines[5].Seq, lines[5].Hash), true)
	},
	"EventsAreFilteredInBothOrders": func(w *world) {
		for i, e := range []storage.Event{
			{Kind: "session.created", Subject: "ann", Session: "1"},
			{Kind: "session.ended", Subject: "ann", Session: "1", Reason: storage.ReasonIdle},
			{Kind: "sessions", Subject: "bob"},
			{Kind: "client.created", Client: "app"},
			{Kind: "session.created", Subject: "ann", Session: "2"},
			{Kind: "session.created", Subject: "anna", Session: "3"},
		} {
			e.At = after(time.Duration(i) * time.Second)
			w.must(w.AppendEvents(w.ctx, e))
		}
		for _, c := range []struct {
			f    storage.EventFilter
			want []uint64
		}{
			{storage.EventFilter{Newest: true}, []uint64{6, 5, 4, 3, 2, 1}},
			{storage.EventFilter{Kind: "session.created"}, []uint64{1, 5, 6}},
			{storage.EventFilter{Kind: "session."}, []uint64{1, 2, 5, 6}},
			{storage.EventFilter{Kind: "session"}, nil},
			{storage.EventFilter{Subject: "ann"}, []uint64{1, 2, 5}},
			{storage.EventFilter{Subject: "ann", Newest: true}, []uint64{5, 2, 1}},
			{storage.EventFilter{Subject: "nobody", Newest: true}, nil},
			{storage.EventFilter{Client: "app"}, []uint64{4}},
			{storage.EventFilter{Session: "1", Newest: true}, []uint64{2, 1}},
			{storage.EventFilter{Reason: storage.ReasonIdle}, []uint64{2}},
			{storage.EventFilter{Since: after(time.Second), Until: after(3 * time.Second)}, []uint64{2, 3}},
		} {
			var seq []uint64
			for _, e := range w.events(c.f) {
				seq = append(seq, e.Seq)
			}
			mustEqual(w, fmt.Sprintf("%+v", c.f), seq, c.want)
		}
	},
}
