//go:build !curfewfault

package server

import (
	"time"

	"github.com/curfew-id/curfew/provider/password"
)

// wallClock is the clock of the whole program.
func wallClock() time.Time { return time.Now() }

// passwordCost is the cost of new password hashes; zero is the default of provider/password.
var passwordCost password.Cost
