// Package templates draws every page that Curfew shows to a user.
//
// There is one struct and one function for each page; the function writes a whole HTML document. The caller says what
// is true (who is signed in, which app asks, what became of each report entry) and where the forms lead; the words,
// the markup, the style sheet and the scripts are here. Everything is embedded and parsed once.
//
//	handler ── SignInPage ──▶ SignIn(w, page) ── layout.html + signin.html ──▶ one HTML document
//	        └─ Assets() ────▶ style sheet, scripts and icon under names that carry their content's hash
//
// Guarantees: every string is shown as text, wherever it came from; a link or form target that could run a script
// leads nowhere; no page needs a script; and none holds an inline script, an inline style or an event handler
// attribute, so that the policy "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src
// 'self'" fits all of them (a caller that shows frames or logos of apps must add their origins).
//
// The package does not depend on the store, the protocol or the clock.
package templates
