// Package rp is an example relying party: a web app that signs users in through OpenID Connect and signs them out
// when it is notified of a logout. `curfew-demo` and the tests run it. It calls Curfew by OpenID Connect only.
//
//	/                       the home page
//	/state                  its state as JSON, for its script
//	/login, /callback       sign-in
//	/logout                 sign-out (RP-Initiated Logout 1.0)
//	/backchannel-logout     logout tokens
//	/frontchannel-logout    the page for an iframe of the OP
//
// It keeps its sessions in memory. Both logout channels find a session by its sid and do not need the browser's cookie.
package rp
