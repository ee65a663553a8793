// Package tokens makes what Curfew mints: authorization codes, access tokens, refresh tokens and ID tokens.
//
//	storage.Redeem, Join, Refresh ── Issue: what is stored, inside the transaction, unsigned
//	        │
//	        └── committed ──▶ Answer: what the relying party gets, signed
//
// Every way to tokens is one type here with these two methods. Each fills in storage.TokenExpiry, so that the trust
// horizon covers every issued token. Issue is pure and may run twice: all random values were chosen before.
//
// It knows which claims stand in which token. It does not depend on requests, endpoints or client authentication.
package tokens
