//go:build curfewfault

package server

import (
	"os"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/password"
)

// wallClock returns the machine's time plus the duration in the file at CURFEW_FAULT_CLOCK. Only conformance/fault
// builds the program with this tag, to step its clock while it runs.
func wallClock() time.Time {
	now := time.Now().Round(0) // without the monotonic reading, which a step does not move
	text, err := os.ReadFile(os.Getenv("CURFEW_FAULT_CLOCK"))
	if err != nil {
		return now
	}
	step, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return now
	}
	return now.Add(step)
}

// passwordCost is low, so that a test can sign in tens of thousands of sessions.
var passwordCost = password.Cost{Memory: 64, Time: 1, Threads: 1}
