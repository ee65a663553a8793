// Package tokens makes authorization codes, access tokens, refresh tokens and ID tokens.
//
//	storage.Redeem, Join, Refresh ── Issue: returns the records to store, inside the transaction
//	        │
//	        └── committed ──▶ Respond: signs the tokens and returns the client's response
//
// Each way to obtain tokens is one type with these two methods: [Exchange], [Refresh] and [AuthorizationTokens]. Each
// fills in storage.TokenExpiry, so that the trust horizon covers every issued token. Issue may run twice, since a
// transaction may be repeated. It is pure, because the constructor has chosen all random values.
//
// The package decides which claims each token contains. It does not depend on requests, endpoints or client
// authentication.
package tokens
