// Package tokens makes what Curfew mints: authorization codes, access tokens, refresh tokens and ID tokens.
//
//	storage.Redeem, Join, Refresh ── Issue: what is stored, inside the transaction, unsigned
//	        │
//	        └── committed ──▶ Answer: what the relying party gets, signed
//
// Every way to tokens is one type here with these two methods, and every one fills in storage.Trust, so that nothing is given out that
// the trust horizon does not know of. Issue is pure and may run twice: all that is random was chosen before.
//
// It knows which claims stand in which token. It refuses to know requests, endpoints and client authentication.
package tokens
