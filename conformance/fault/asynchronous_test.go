//go:build linux

package fault

import (
	"testing"
	"time"
)

// TestReplicasMayLoseInAnAsynchronousFailover shows what synchronous replication is for, and that the checks of
// TestReplicasKeepLegalHistories see a loss: the standby lags when the primary dies, and logouts are undone.
func TestReplicasMayLoseInAnAsynchronousFailover(t *testing.T) {
	beside(t)
	c := mustStartPrimary(t)
	lag := mustServeNetwork(t, c.primary.URL())
	c.mustFollow(0, lag.url, false)
	c.ports = [2]int{c.primary.Port(), c.standby.Port()}
	f := mustStartFleet(t, 2, c.url, c.ports[:]...)
	visitors := make([]*visitor, rounds(8, 40))
	for i := range visitors {
		if visitors[i] = f.signInAny(); visitors[i] == nil {
			t.Fatal("a user could not sign in")
		}
	}
	c.mustCatchUp()
	resume := lag.stop()
	for _, v := range visitors {
		if v.signOut() != accepted {
			t.Fatal("got no signed-out page")
		}
	}
	c.mustFailOver()
	resume()
	f.mustBeReady(20*time.Second, f.replicas...)
	f.balancer.each(func() {
		for _, v := range visitors {
			v.glance()
		}
	})
	got := f.history.check()
	illegal := 0
	for _, list := range f.history.porcupine() {
		if !isLinear(list) {
			illegal++
		}
	}
	if len(got.revived) == 0 || illegal == 0 {
		t.Errorf("got %v and %d illegal histories: the checks do not see a loss", got, illegal)
	}
	row(
		t,
		"2 replicas: PostgreSQL fails over to an asynchronous standby that lags",
		"%d logouts were acknowledged and not yet at the standby; %d sessions are active again (histories that are illegal)",
		len(visitors),
		illegal,
	)
}
