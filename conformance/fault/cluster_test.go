//go:build linux

package fault

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/pgserver"
)

// cluster is a PostgreSQL server and a standby. Replicas know both addresses, and use the one that accepts writes.
type cluster struct {
	t                testing.TB
	primary, standby *pgserver.Server
	ports            [2]int
	primaryIsDown    bool // it failed over, and has no standby yet
}

// mustStartCluster starts both. A commit is acknowledged after both have it.
func mustStartCluster(t testing.TB) *cluster {
	t.Helper()
	c := mustStartPrimary(t)
	c.mustFollow(0, "", true)
	c.ports = [2]int{c.primary.Port(), c.standby.Port()}
	return c
}

// mustStartPrimary starts the server that has no standby yet.
func mustStartPrimary(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{t: t, primary: mustStartDatabase(t)}
	t.Cleanup(func() {
		for _, server := range []*pgserver.Server{c.primary, c.standby} {
			if server != nil {
				server.Kill()
			}
		}
	})
	return c
}

// mustFollow starts a standby of the primary, which it reaches by the URL through ("": directly).
func (c *cluster) mustFollow(port int, through string, synchronous bool) {
	c.t.Helper()
	standby, err := c.primary.StartStandby(port, through)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := standby.Close(); err != nil {
			c.t.Error(err)
		}
	})
	c.standby = standby
	if !synchronous {
		return
	}
	if err := c.primary.ReplicateSynchronously(); err != nil {
		c.t.Fatal(err)
	}
}

// url returns the URL of both servers at a host that leads to them.
func (c *cluster) url(host string) string {
	return fmt.Sprintf("postgres://%s:%s@%s:%d,%s:%d/postgres?sslmode=disable",
		pgserver.Role, url.QueryEscape(pgserver.Password), host, c.ports[0], host, c.ports[1])
}

// mustCatchUp waits until the standby has all that was committed.
func (c *cluster) mustCatchUp() {
	c.t.Helper()
	at, err := c.primary.Execute("SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		done, err := c.standby.Execute("SELECT pg_last_wal_replay_lsn() >= '" + at + "'")
		if err != nil {
			c.t.Fatal(err)
		}
		if done == "t" {
			return
		}
	}
	c.t.Fatal("the standby has not caught up in 20 s")
}

// mustFailOver kills the primary and promotes the standby.
func (c *cluster) mustFailOver() {
	c.t.Helper()
	c.primary.Kill()
	if err := c.standby.Promote(); err != nil {
		c.t.Fatal(err)
	}
	c.primaryIsDown = true
}

// mustCrash kills the primary and starts it again.
func (c *cluster) mustCrash() {
	c.t.Helper()
	c.primary.Kill()
	c.mustRestart()
}

// mustRestart starts the primary again.
func (c *cluster) mustRestart() {
	c.t.Helper()
	if err := c.primary.Restart(); err != nil {
		c.t.Fatal(err)
	}
}

// mustRebuild starts a new standby where the killed primary was.
func (c *cluster) mustRebuild() {
	c.t.Helper()
	old := c.primary.Port()
	c.primary, c.standby = c.standby, nil
	c.mustFollow(old, "", true)
	c.primaryIsDown = false
}
