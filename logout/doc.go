// Package logout makes a logout real. It owns the ending of sessions, who has to be told, the telling, what each holder may
// still trust afterwards (the trust horizon), and the reports about it.
//
//	Ender.End ──▶ storage.EndSessions ──▶ Plan: report and deliveries, in the same transaction
//	    │ wake
//	    ▼
//	Dispatcher.Run: claim ──▶ sign ──▶ post ──▶ settle ──▶ the report's row moves towards closed
//
// Nothing else may call EndSessions. An ending is a transaction; telling is a queue that survives a crash: an answer, never the
// start of a request, settles a delivery. Delivery is at least once, and no transaction is open while a relying party is asked.
//
// What is published is a hard bound: no relying party that does as it declared accepts anything longer. Where there is no bound
// the word is "unknown", and it is never dropped.
//
// The package refuses to know how tokens are signed and how requests leave: it is given a [Signer] and a [Poster].
package logout
