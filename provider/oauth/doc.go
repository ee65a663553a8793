// Package oauth serves the endpoints that programs call: token, introspect, revoke, userinfo and jwks.
//
//	request ─▶ guard (method, form, size, CORS) ─▶ zitadel/oidc (routing, parsing) ─▶ VerifyClient ─▶ one method
//
// Each method uses one transaction. Only this package imports the library's op package. [Server] embeds
// op.UnimplementedServer, which refuses every operation that Server does not implement. The guard refuses requests that
// the library would accept wrongly. This package serves userinfo and jwks itself, because the library's userinfo
// accepts tokens in the query and returns only JSON.
//
// The package checks every access token in the store, opaque or JWT, and refuses a token that is not active. Only
// errors.go turns errors into responses. The package uses no cookies and no pages, and ends sessions and grants only
// through [logout.Terminator].
package oauth
