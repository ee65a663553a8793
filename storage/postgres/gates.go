package postgres

import "hash/fnv"

// gates.go locks gates (see the package comment). A transaction locks all its gates by one statement and in their
// order, so that no two transactions wait for each other.

// gateCount is the number of gates. The first migration creates them.
const gateCount = 64

// gateOf returns the gate of a user, or of a client for its client_credentials tokens.
func gateOf(name string) int16 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // never fails
	return int16(sum.Sum32() % gateCount)
}

// lockGates locks gates by their numbers.
func (t *tx) lockGates(gates ...int16) {
	t.lock(`SELECT n FROM @gates WHERE n = ANY($1) ORDER BY n FOR UPDATE`, gates)
}

// lockAllGates locks all gates.
func (t *tx) lockAllGates() { t.lock(`SELECT n FROM @gates ORDER BY n FOR UPDATE`) }

// lockGateOfSession locks the gate of a session's user.
func (t *tx) lockGateOfSession(id string) {
	t.lock(
		`SELECT n FROM @gates WHERE n IN (SELECT gate FROM @sessions WHERE id = $1) ORDER BY n FOR UPDATE`,
		id,
	)
}
