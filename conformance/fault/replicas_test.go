//go:build linux

package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// replicas_test.go breaks replicas and their database under load. No replica may show that there are several.

// notifiedWithin is how long after a fault every client of an ended session has its logout token.
const notifiedWithin = 30 * time.Second

// backWithin is how long replicas may take until they are ready again after the database is.
const backWithin = 2 * time.Second

// TestReplicasKeepLegalHistories: random operations at two and three replicas, while replicas are stopped, killed,
// paused and cut off, and their database crashes, is restarted and fails over. What the clients saw is what one store
// could have answered, and nothing that was acknowledged is lost.
func TestReplicasKeepLegalHistories(t *testing.T) {
	beside(t)
	if !full() {
		breakReplicas(t, 3, allFaults)
		return
	}
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { breakReplicas(t, n, replicaFaults...) })
	}
}

func breakReplicas(t *testing.T, n int, faults ...replicaFault) {
	t.Helper()
	c := mustStartCluster(t)
	f := mustStartFleet(t, n, c.url, c.ports[:]...)
	if f.space == nil {
		t.Log("no replica is cut off: network namespaces need root and Debian's iproute2")
	}
	for _, fault := range faults {
		var took []time.Duration
		begun := f.count()
		for range rounds(1, fault.long) {
			took = append(took, f.mustSurvive(c, fault))
		}
		slices.Sort(took)
		since := f.count().minus(begun)
		if since.open == 0 && f.space != nil {
			t.Errorf("%s: got an answer to every request: the fault was not felt, and the test proves nothing", fault.name)
		}
		row(
			t,
			fmt.Sprintf("%d replicas: %s", n, fault.name),
			"%d rounds; %d sessions, %d requests acknowledged, %d left open; "+
				"all replicas ready after %d ms (median), %d ms (longest)",
			len(took),
			since.sessions,
			since.acknowledged,
			since.open,
			took[len(took)/2].Milliseconds(),
			took[len(took)-1].Milliseconds(),
		)
	}
	f.mustHaveLostNothing()
}

// mustSurvive runs one round of a fault under load. It returns how long the replicas took to be ready after it.
func (f *fleet) mustSurvive(c *cluster, fault replicaFault) (back time.Duration) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	done := make(chan *crowd, 1)
	go func() { done <- f.drive(ctx, 6) }()
	f.history.awaitAcknowledged(20 + rand.IntN(60))
	fault.inject(f, c)
	back = f.mustBeReady(20*time.Second, f.replicas...)
	if fault.ofDatabase && back > backWithin+slack {
		f.t.Errorf("%s: the replicas are ready after %v, want %v at most", fault.name, back, backWithin)
	}
	f.history.awaitAcknowledged(20)
	cancel()
	crowd := <-done
	f.crowds = append(f.crowds, crowd)
	if c.primaryIsDown {
		c.mustRebuild()
	}
	f.balancer.each(func() { crowd.each((*visitor).glance) })
	return back
}

// glance asks for the session without changing it.
func (v *visitor) glance() {
	v.silent(clients[0])
	for client := range v.tokens {
		v.introspect(client)
	}
}

// mustHaveLostNothing checks the whole history, and that all clients of ended sessions were notified.
func (f *fleet) mustHaveLostNothing() {
	t := f.t
	t.Helper()
	ended := time.Now()
	longest := f.history.longest() // of the requests through the balancer
	f.wide.expand(f.history, f.userOf)
	sent, duplicates, missing := f.notifyAll(f.crowds, notifiedWithin)
	if len(missing) > 0 {
		t.Errorf("%d clients got no logout token within %v, such as %s", len(missing), notifiedWithin, missing[0])
	}
	waited := time.Since(ended)
	for _, crowd := range f.crowds {
		crowd.look()
	}
	got := f.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	sessions, operations, illegal := f.history.mustBeLinear(t)
	if longest > balancerTimeout+slack {
		t.Errorf("got an answer after %s, want %s at most", longest, balancerTimeout)
	}
	if lines := f.panics(); len(lines) > 0 {
		t.Errorf("a replica panicked: %s", lines[0])
	}
	row(
		t,
		fmt.Sprintf("%d replicas, all of it", len(f.replicas)),
		"%v; %d histories of sessions with %d operations, of these illegal %d; %d requests ended many sessions; "+
			"%d logout tokens, %d duplicates, the last one %.1f s after the last fault's round",
		got,
		sessions+illegal,
		operations,
		illegal,
		len(f.wide.ends),
		sent,
		duplicates,
		waited.Seconds(),
	)
}

// count is how much happened so far.
func (f *fleet) count() tally {
	return tally{f.history.signedIn(), f.history.acknowledged(), f.history.unanswered()}
}

// tally counts requests.
type tally struct{ sessions, acknowledged, open int }

func (c tally) minus(before tally) tally {
	return tally{c.sessions - before.sessions, c.acknowledged - before.acknowledged, c.open - before.open}
}

// drive lets visitors sign in, use their sessions and end them in every way, at random, until ctx ends.
func (f *fleet) drive(ctx context.Context, workers int) *crowd {
	c := &crowd{}
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			var mine []*visitor
			for ctx.Err() == nil {
				n := rand.IntN(1000)
				if len(mine) == 0 || n < 200 {
					if v := f.signInAny(); v != nil {
						mine = append(mine, v)
						c.mu.Lock()
						c.visitors = append(c.visitors, v)
						c.mu.Unlock()
					} else {
						time.Sleep(10 * time.Millisecond) // no replica may be ready
					}
					continue
				}
				f.act(mine[rand.IntN(len(mine))], n, worker == 0)
			}
		})
	}
	all.Wait()
	return c
}

// signInAny signs a new visitor in; nil if that has no success.
func (f *fleet) signInAny() *visitor {
	v := f.newVisitor()
	user := f.users[rand.IntN(len(f.users))]
	f.history.mu.Lock()
	f.userOf[v.session] = user
	f.history.mu.Unlock()
	if v.signIn(user) != accepted {
		return nil
	}
	return v
}

// act does the operation of number n, from 200 to 999. Only one worker disables users, so that no other enables them.
func (f *fleet) act(v *visitor, n int, disables bool) {
	switch {
	case n < 300:
		if !v.over {
			v.signOut()
		}
	case n < 320:
		f.endWidely(v.user, "the end of all sessions of the user", bulkLogoutPath, map[string]any{"user": v.user})
	case n < 330:
		if disables {
			f.disable(v.user)
		}
	case n < 332:
		f.endWidely("", "the end of all sessions", bulkLogoutPath, allUsers)
	case n < 380:
		v.redeemTwice(clients[1+rand.IntN(2)])
	case n < 430:
		if err := v.refreshTwice(clients[0]); err != nil {
			f.t.Error(err)
		}
	case n < 550:
		v.join(clients[1+rand.IntN(2)])
	case n < 750:
		v.refresh(clients[0])
	default:
		v.introspect(clients[0])
	}
}
