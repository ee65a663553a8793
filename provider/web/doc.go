// Package web owns what every handler that a browser sees shares: cookies, interaction handles, security headers, the
// client's address, request IDs, parameter parsing and the error page.
//
// All cookies are read and written in cookies.go and nowhere else. A handle carries an interaction from page to page,
// sealed, bound to the browser that began it, to its purpose and to an expiry; nothing is stored until a user signs in.
// It knows no protocol rules and ends no session.
package web
