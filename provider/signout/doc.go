// Package signout serves logout requests: /end_session (RP-Initiated Logout 1.0).
//
//	/end_session ──▶ validate ──▶ session of the cookie ──▶ (confirmation) ──▶ logoutview.EndAndRender
//	     ▲  POST: 303 to GET with an interaction
//
// The session cookie decides which session ends. An ID token hint only names the client and lets the logout happen
// without a confirmation. The response does not wait for the clients: Curfew sends it as soon as the store has
// committed the end of the session.
package signout
