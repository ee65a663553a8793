// Package storage owns Curfew's records and the contract of a store.
//
//	provider ──▶ logout ──▶ storage ◀── storage/bolt
//	                           ▲
//	                    storage/storagetest (the contract as tests)
//
// A store changes related records in one transaction. A code or an id is marked as used by the write that uses it. A
// client joins a session in the transaction that gives the client tokens. Only [Terminations.EndSessions] removes a
// session.
//
// The rules that all backends have in common are functions of this package:
//
//   - [Selection]: which sessions and grants a termination ends
//   - [Cutoff]: which codes, sign-ins and tokens a termination invalidates
//   - [Code.MayRedeem] and [Grant.RefreshAction]: whether a code or a refresh token is still accepted
//   - [SweepHistory]: which used codes and ids a sweep may have removed
//
// A backend stores records and answers queries.
//
// The order of events is the store's own ([Sequence]), not the clock's. The package does not read the clock: methods
// take the time as an argument. It does not depend on HTTP or on OAuth errors.
//
// Every method returns the errors of this package, wrapped, and is safe for concurrent use. A callback that runs
// inside a transaction is pure: it may run twice and must not call the store. After an error from a commit the
// outcome is unknown: the change may have been stored. Callers may repeat every change.
//
// A store keeps times in UTC and in whole milliseconds. It gets secrets only as a [Hash] or wrapped.
package storage
