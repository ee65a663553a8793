// Package storage owns Curfew's records and the contract of a store.
//
//	provider ──▶ logout ──▶ storage ◀── storage/bolt
//	                           ▲
//	                    storage/storagetest (the contract as tests)
//
// A store keeps records and enforces what must hold between them in one transaction: one-time things are spent by the
// write that uses them, a client joins a session in the transaction that gives it tokens, and a session leaves only by
// [Endings.EndSessions]. It refuses to know the time (every method that needs it takes at), HTTP and OAuth errors.
//
// Every method returns the sentinel errors of this package, wrapped, and is safe for concurrent use. A callback that runs
// inside a transaction is pure: it may run twice and must not call the store. An error from a commit means "unknown
// outcome", never "nothing happened"; every change can be asked for again.
//
// Times are kept in whole milliseconds, UTC. Secrets reach a store only as [Hash] or wrapped.
package storage
