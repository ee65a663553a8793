// Package signout serves logout requests: /end_session (RP-Initiated Logout 1.0).
//
//	/end_session ──▶ validate ──▶ session of the cookie ──▶ (confirmation) ──▶ logoutview.EndAndRender
//	     ▲  POST: 303 to GET with an interaction
//
// The cookie decides whose session ends. A hint names the client and spares the question, nothing more. The browser
// gets its response when the end of the session is committed, whether or not the clients answer.
package signout
