// Package rp is one toy relying party: a web app that signs users in through OpenID Connect and signs them out when
// it is notified of a logout. `curfew-demo` runs three of it and the tests run more. It knows Curfew only through the
// protocol.
//
//	/  home    /login  /callback  /logout    /backchannel-logout  /frontchannel-logout    /state (JSON, asked by the page)
//
// It keeps its sessions in memory, indexed by sid, so that either logout channel ends them without the browser's
// cookie.
package rp
