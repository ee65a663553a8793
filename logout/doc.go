// Package logout makes a logout real. It owns the end of sessions, the notification of relying parties, what may
// still be trusted afterwards (the trust horizon), and the reports about it.
//
//	Terminator.End ──▶ storage.EndSessions ──▶ Plan: report and deliveries, in the same transaction
//	    │ wake
//	    ▼
//	Dispatcher.Run: claim ──▶ sign ──▶ post ──▶ record the outcome ──▶ the report entry moves towards revoked
//
// No other package calls EndSessions. Ending a session is a transaction; notification is a queue that survives a
// crash. A delivery is done when its answer is recorded, not when its request begins: delivery is at least once. No
// transaction is open during a request.
//
// A published bound is a hard one: no relying party that does what it declared accepts anything longer. Without a
// bound the state is "unknown", and it is never left out.
//
// The package does not know how tokens are signed and how requests leave the process: it is given a [Signer] and a
// [Poster].
package logout
