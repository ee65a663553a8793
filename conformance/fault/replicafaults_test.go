//go:build linux

package fault

import (
	"math/rand/v2"
	"time"
)

// replicafaults_test.go is how replicas and their database are broken.

// pastLease is longer than the lease of a delivery.
const pastLease = 24 * time.Second

// replicaFault is a fault of replicas or their database. inject returns when the fault is over.
type replicaFault struct {
	name       string
	ofDatabase bool // service must be back within backWithin
	long       int  // its rounds in make faults-replicas
	inject     func(*fleet, *cluster)
}

var replicaFaults = []replicaFault{
	{"a replica is stopped (SIGTERM)", false, 3, func(f *fleet, _ *cluster) { f.mustStop(f.any()) }},
	{"a replica is killed (SIGKILL)", false, 4, func(f *fleet, _ *cluster) { f.mustKill(f.any()) }},
	{"a replica is paused past its leases", false, 2, func(f *fleet, _ *cluster) {
		resume := f.mustPause(f.any())
		time.Sleep(pastLease)
		resume()
	}},
	{"a replica is cut off from the database", false, 3, func(f *fleet, _ *cluster) {
		f.mustCutOff(time.Duration(4+rand.IntN(12)) * time.Second)
	}},
	{"PostgreSQL crashes", true, 4, func(_ *fleet, c *cluster) { c.mustCrash() }},
	{"PostgreSQL is restarted", true, 3, func(_ *fleet, c *cluster) {
		c.primary.Stop()
		c.mustRestart()
	}},
	{"PostgreSQL fails over to its synchronous standby", true, 4, func(_ *fleet, c *cluster) { c.mustFailOver() }},
	allFaults,
}

// allFaults is the only one of the short form.
var allFaults = replicaFault{"all of these, while a replica is paused", false, 2, func(f *fleet, c *cluster) {
	begun := time.Now()
	resume := f.mustPause(f.replicas[0])
	last := f.replicas[len(f.replicas)-1]
	f.mustStop(last)
	f.mustKill(last)
	c.mustCrash()
	f.mustCutOff(3 * time.Second)
	c.primary.Stop()
	c.mustRestart()
	f.history.awaitAcknowledged(20)
	c.mustFailOver()
	time.Sleep(pastLease - time.Since(begun))
	resume()
}}

func (f *fleet) mustStop(r *replica) {
	f.t.Helper()
	r.Stop()
	f.mustStart(r)
}

func (f *fleet) mustKill(r *replica) {
	f.t.Helper()
	r.Kill()
	time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
	f.mustStart(r)
}

func (f *fleet) mustPause(r *replica) (resume func()) {
	f.t.Helper()
	if err := r.pause(); err != nil {
		f.t.Fatal(err)
	}
	return r.resume
}

// mustCutOff lets the last replica lose its network to the database, where that is possible.
func (f *fleet) mustCutOff(during time.Duration) {
	f.t.Helper()
	if f.space == nil {
		return
	}
	f.space.mustCut()
	time.Sleep(during)
	f.space.mustHeal()
}

// any returns a replica.
func (f *fleet) any() *replica { return f.replicas[rand.IntN(len(f.replicas))] }
