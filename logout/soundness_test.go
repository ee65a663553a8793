package logout

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
	"pgregory.net/rapid"
)

// publication is what was said at a moment.
type publication struct {
	at   time.Time
	rows []storage.Row
}

// play lets a scenario happen and returns all that was published, and when the ending was acknowledged.
func (s scenario) play(t *testing.T, w *world) (published []publication, acknowledged time.Time) {
	byName := map[string]*party{}
	longest := time.Duration(0)
	for _, p := range s.parties {
		w.register(p.meta)
		byName[p.name] = p
		longest = max(longest, p.joins)
	}
	w.answer = func(ctx context.Context, got told) (Reply, error) { return byName[got.client].told(ctx) }
	id := w.session()
	t0 := time.Now().Add(longest)
	type event struct {
		at time.Time
		do func()
	}
	var events []event
	for _, p := range s.parties {
		events = append(events, event{t0.Add(-p.joins), func() { p.join(w, id) }})
		for _, r := range p.refresh {
			events = append(events, event{t0.Add(-r), func() { p.renew(w) }})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range events {
		time.Sleep(time.Until(e.at))
		e.do()
	}
	time.Sleep(time.Until(t0))

	start := func() (crash func()) {
		store := &mortal{Store: w.store}
		d := w.dispatcher()
		d.Store = store
		stop := run(d.Run)
		return func() { store.dead.Store(true); stop() }
	}
	crash := start()
	session, err := w.store.Session(t.Context(), id, time.Now())
	w.must(err)
	clients := map[string]*storage.Client{}
	for _, p := range s.parties {
		clients[p.name], err = w.store.Client(t.Context(), p.name)
		w.must(err)
	}
	grants, err := w.store.ListGrants(t.Context(), "u", "", false, time.Now())
	w.must(err)
	published = append(published, publication{time.Now(), Horizon(session, clients, grants, time.Now(), Options{}).Rows})

	e := w.ender(w.dispatcher())
	e.Store = &mortal{Store: w.store, before: func() {
		time.Sleep(s.commit)
		for _, p := range s.parties {
			p.introspect(w) // at the last moment
		}
	}}
	o := w.end(e, storage.Selector{Sessions: []storage.SessionID{id}})
	acknowledged = time.Now()
	var front []string
	for _, f := range o.Frames() {
		front = append(front, f.Client)
	}
	w.must(w.store.UpdateReport(t.Context(), o.Reports[0], FrameAsked(front, time.Now())))
	looks := 0
	look := func() {
		looks++
		r, err := w.store.Report(t.Context(), o.Reports[0])
		w.must(err)
		published = append(published, publication{time.Now(), Assess(r, time.Now()).Rows})
		for _, p := range s.parties {
			if p.offline && looks%8 == 0 {
				p.renew(w) // offline access lives on, and its session with it where that was declared
			} else if !p.offline && p.introspect(w) {
				t.Errorf("a token of %s is active %v after the ending was acknowledged", p.name, time.Since(acknowledged))
			}
		}
	}
	look()
	for _, at := range s.crashes {
		time.Sleep(time.Until(acknowledged.Add(at)))
		crash()
		look()
		time.Sleep(time.Second)
		crash = start()
	}
	for i := range 45 {
		time.Sleep(time.Duration(i+1) * 4 * time.Second)
		look()
	}
	time.Sleep(25 * time.Hour)
	look()
	crash()
	return published, acknowledged
}

func TestPublishedHorizonIsNeverBelowWhatIsObserved(t *testing.T) {
	var slack, bounded, confirmed, unknown time.Duration
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScenario(rt)
		var published []publication
		var acknowledged time.Time
		inWorld(t, func(t *testing.T, w *world) { published, acknowledged = s.play(t, w) })
		for _, p := range s.parties {
			last := map[string]time.Time{KindApplication: p.application(), KindTokens: p.accepted()}
			before := map[string]storage.Row{}
			for _, pub := range published {
				for _, row := range pub.rows {
					if row.Client != p.name || row.Kind == KindOffline {
						continue
					}
					observed := last[row.Kind]
					switch row.Trust {
					case storage.TrustClosed, storage.TrustConfirmed:
						if limit := latest(pub.at, acknowledged); observed.After(limit) {
							rt.Fatalf("%s of %s was %s at %v, and accepted until %v\n%+v\n%+v", row.Kind, p.name, row.Trust, pub.at, observed, row, p)
						}
						confirmed++
					case storage.TrustBounded:
						if observed.After(row.Until) {
							rt.Fatalf("%s of %s was bounded until %v, and accepted until %v\n%+v\n%+v", row.Kind, p.name, row.Until, observed, row, p)
						}
						bounded++
						slack += row.Until.Sub(latest(observed, acknowledged))
					default:
						unknown++
					}
					if rank(row.Trust) < rank(before[row.Kind].Trust) {
						rt.Fatalf("%s of %s moved from %s to %s", row.Kind, p.name, before[row.Kind].Trust, row.Trust)
					}
					before[row.Kind] = row
				}
			}
		}
	})
	t.Logf("tightness: %v from observed to published on average over %d bounds; %d ended, %d unknown or told", (slack / max(bounded, 1)).Round(time.Millisecond), bounded, confirmed, unknown)
}
