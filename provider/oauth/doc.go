// Package oauth serves the endpoints that programs call: token, introspect, revoke, userinfo and jwks.
//
//	request ─▶ guard (method, form, size, CORS) ─▶ zitadel/oidc (routing, parsing) ─▶ VerifyClient ─▶ one method
//
// Each method uses one transaction. Only this package imports the library's op package. [Server] embeds
// op.UnimplementedServer, so that every operation that it does not implement is refused. The guard refuses requests
// that the library would accept wrongly. This package serves userinfo and jwks itself, because the library's userinfo
// accepts tokens in the query and returns only JSON.
//
// Every access token is looked up in the store, opaque or JWT, and refused if it is not active. Only errors.go turns
// errors into responses. The package knows no cookies and no pages, and ends sessions and grants only through
// [logout.Terminator].
package oauth
