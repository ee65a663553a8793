// Package upstream lets users sign in with accounts of other OpenID providers, the upstreams. It is a relying party of
// each of them.
//
//	signin:   AuthorizationURL ──▶ upstream ──▶ callback ──▶ Redeem ──▶ Account ──▶ Authenticate ──▶ session
//	upstream: back-channel or front-channel logout ──▶ Handler ──▶ logout.Terminator ──▶ our clients
//
// An account is identified by issuer and sub, never by an address or a name. It belongs to the user to whom it is
// linked (storage.Identity). accounts.go finds or creates the user of an account without a link.
//
// Of an upstream's tokens the package stores only the ID token, encrypted with the key file, as the id_token_hint for a
// logout there. All requests go through provider/egress. Package authn decides which acr and amr values of an upstream
// count.
package upstream
