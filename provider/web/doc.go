// Package web provides what all handlers of browser requests use: cookies, sealed interactions, security headers, the
// client's address, request IDs, parameter parsing and the error page.
//
// Only cookies.go reads and writes cookies. An interaction carries a request from page to page. It is sealed and bound
// to one browser, to one purpose and to an expiry, so that nothing is stored before a user signs in. The package
// contains no protocol rules and ends no session.
package web
