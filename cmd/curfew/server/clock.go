//go:build !curfewfault

package server

import (
	"net"
	"time"

	"github.com/curfew-id/curfew/provider/password"
)

// wallClock returns the current time. The whole program uses this clock.
func wallClock() time.Time { return time.Now() }

// passwordCost is the cost of new password hashes. The zero value means the default of package password.
var passwordCost password.Cost

// withFaults returns the store as it is. Only a build for fault tests puts faults into it.
func withFaults(s Store) Store { return s }

// egressResolver resolves the names of clients' hosts. Nil: the system's resolver.
func egressResolver() *net.Resolver { return nil }
