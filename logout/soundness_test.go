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
	at      time.Time
	entries []storage.ReportEntry
}

// play lets a scenario happen and returns all that was published, and when the termination was acknowledged.
func (s scenario) play(t *testing.T, w *fixture) (published []publication, acknowledged time.Time) {
	byName := map[string]*relyingParty{}
	longest := time.Duration(0)
	for _, p := range s.parties {
		w.register(p.meta)
		byName[p.name] = p
		longest = max(longest, p.joinedBefore)
	}
	w.respond = func(ctx context.Context, got receivedToken) (Response, error) { return byName[got.client].receive(ctx) }
	id := w.session()
	t0 := time.Now().Add(longest)
	type event struct {
		at time.Time
		do func()
	}
	var events []event
	for _, p := range s.parties {
		events = append(events, event{t0.Add(-p.joinedBefore), func() { p.join(w, id) }})
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
		store := &crashingStore{Store: w.store}
		d := w.dispatcher()
		d.Store = store
		stop := run(d.Run)
		return func() { store.crashed.Store(true); stop() }
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
	if s.commit < AnswerAllowance { // a preview cannot know how long the commit will take
		published = append(
			published,
			publication{time.Now(), PreviewHorizon(session, clients, grants, time.Now(), PreviewOptions{}).Entries},
		)
	}

	e := w.terminator(w.dispatcher())
	e.Store = &crashingStore{Store: w.store, before: func() {
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
	w.must(w.store.UpdateReport(t.Context(), o.ReportIDs[0], MarkFrontChannelNotified(front, time.Now())))
	looks := 0
	look := func() {
		looks++
		r, err := w.store.Report(t.Context(), o.ReportIDs[0])
		w.must(err)
		published = append(published, publication{time.Now(), AssessReport(r, time.Now()).Entries})
		for _, p := range s.parties {
			if p.offline && looks%8 == 0 {
				p.renew(w) // offline access goes on; with session_with_tokens the client's session does too
			} else if !p.offline && p.introspect(w) {
				t.Errorf("a token of %s is active %v after the termination was acknowledged", p.name, time.Since(acknowledged))
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
		withFixture(t, func(t *testing.T, w *fixture) { published, acknowledged = s.play(t, w) })
		for _, p := range s.parties {
			last := map[string]time.Time{
				KindClientSession: p.clientSessionEnd(),
				KindAccessTokens:  p.tokensAcceptedUntil(),
			}
			before := map[string]storage.ReportEntry{}
			for _, pub := range published {
				for _, entry := range pub.entries {
					if entry.Client != p.name || entry.Kind == KindOfflineAccess {
						continue
					}
					observed := last[entry.Kind]
					switch entry.Trust {
					case storage.TrustRevoked, storage.TrustConfirmed:
						if limit := latest(pub.at, acknowledged); observed.After(limit) {
							rt.Fatalf(
								"%s of %s was %s at %v, and accepted until %v\n%+v\n%+v",
								entry.Kind,
								p.name,
								entry.Trust,
								pub.at,
								observed,
								entry,
								p,
							)
						}
						confirmed++
					case storage.TrustExpiring:
						if observed.After(entry.ExpiresAt) {
							rt.Fatalf(
								"%s of %s was bounded until %v, and accepted until %v\n%+v\n%+v",
								entry.Kind,
								p.name,
								entry.ExpiresAt,
								observed,
								entry,
								p,
							)
						}
						bounded++
						slack += entry.ExpiresAt.Sub(latest(observed, acknowledged))
					default:
						unknown++
					}
					if trustRank(entry.Trust) < trustRank(before[entry.Kind].Trust) {
						rt.Fatalf(
							"%s of %s moved from %s to %s",
							entry.Kind,
							p.name,
							before[entry.Kind].Trust,
							entry.Trust,
						)
					}
					before[entry.Kind] = entry
				}
			}
		}
	})
	t.Logf(
		"tightness: %v from observed to published on average over %d bounds; %d ended, %d unknown or notified",
		(slack / max(bounded, 1)).Round(time.Millisecond),
		bounded,
		confirmed,
		unknown,
	)
}
