// Package oauth serves what programs call: token, introspect, revoke, userinfo and jwks.
//
//	request ─▶ guard (method, form, size, headers, CORS) ─▶ zitadel/oidc (routing, parsing) ─▶ VerifyClient ─▶ one method, one transaction
//
// It is the only importer of the library's op package, and of that only what fails closed: [Server] embeds
// op.UnimplementedServer. The guard stands before the library and refuses what the library would let pass; userinfo
// and jwks are handlers of our own, because the library answers in JSON only and takes tokens from the query.
//
// Every access token, whatever its form, is looked up: what is not active in the store is refused. Errors become
// answers in errors.go alone. It knows no cookie and no page, and ends a session or grant only through [Ender].
package oauth
