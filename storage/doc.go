// Package storage owns Curfew's records and the contract of a store.
//
//	provider ──▶ logout ──▶ storage ◀── storage/bolt
//	                           ▲
//	                    storage/storagetest (the contract as tests)
//
// A store keeps records and enforces what must hold between them in one transaction: a code or an id is used up by
// the write that uses it, a client joins a session in the transaction that gives it tokens, and a session is removed
// only by [Terminations.EndSessions]. The rules that every backend shares are functions of this package: what a
// selector takes ([Selection]), what a termination keeps out ([Cutoff]), what a code or a refresh token may still do
// ([Code.MayRedeem], [Grant.RefreshAction]), and what a sweep may have removed ([SweepHistory]). A backend stores
// records and answers queries.
//
// Order is the store's own ([Sequence]), never the clock's. The package does not read the clock (methods take the
// time as an argument) and does not depend on HTTP or OAuth errors.
//
// Every method returns the sentinel errors of this package, wrapped, and is safe for concurrent use. A callback that
// runs inside a transaction is pure: it may run twice and must not call the store. An error from a commit means
// "unknown outcome", never "nothing happened"; every change can be made again.
//
// Times are kept in whole milliseconds, UTC. Secrets reach a store only as [Hash] or wrapped.
package storage
