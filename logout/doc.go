// Package logout ends sessions and follows a logout through to every client. It ends sessions, notifies relying
// parties, computes what may still be trusted afterwards and until when (the trust horizon), and writes the reports.
//
//	Terminator.End ──▶ storage.EndSessions ──▶ Plan: report and deliveries, in the same transaction
//	    │ wake
//	    ▼
//	Dispatcher.Run: claim ──▶ sign ──▶ post ──▶ record the outcome, and update the report entry
//
// No other package calls EndSessions. A session ends in one transaction. Notifications wait in a queue that survives a
// crash. A delivery is done when its answer is recorded, so every logout token is delivered at least once. No
// transaction is open during an HTTP request.
//
// A bound in a report is certain: a relying party that does what it declared accepts nothing of the session after it.
// If an entry has no bound, the report says "unknown".
//
// The package does not sign tokens or send requests itself: it gets a [Signer] and a [Poster].
package logout
