// Package templates renders every page that Curfew shows to a user.
//
// Each page has a struct and a function, which writes a complete HTML document. The caller fills in the facts (the
// signed-in user, the app that asks, the state of each report entry) and the URLs of forms and links. Texts, markup,
// style sheet and scripts stand in this package. They are embedded and parsed once.
//
//	handler ── SignInPage ──▶ SignIn(w, page) ── layout.html + signin.html ──▶ one HTML document
//	        └─ Assets() ────▶ style sheet, scripts and icon under names that carry their content's hash
//
// Guarantees: every string is shown as text. A link or form target that could run a script is left out. No page needs
// a script. No page has an inline script, an inline style or an event handler attribute, so all pages work with the
// policy "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'". A caller that
// shows frames or logos of apps must add their origins.
//
// The package does not depend on the store, the protocol or the clock.
package templates
