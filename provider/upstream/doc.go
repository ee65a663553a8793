// Package upstream lets users sign in with accounts of other OpenID providers, the upstreams. It is a relying party of
// each of them.
//
//	signin:   AuthorizationURL ──▶ upstream ──▶ callback ──▶ Redeem ──▶ Account ──▶ Authenticate ──▶ session
//	upstream: back-channel or front-channel logout ──▶ Handler ──▶ logout.Terminator ──▶ our clients
//
// An account is identified by issuer and sub, never by an address or a name. It belongs to the user to whom it is
// linked (storage.Identity). accounts.go decides who that is for an account without a link.
//
// The package keeps no token of an upstream except the ID token, wrapped by the key file: it is the hint for a logout
// there. All requests go through provider/egress. Package authn says which acr and amr of an upstream count.
package upstream
