// Package signout serves people on their way out: /end_session (RP-Initiated Logout 1.0) and /signed-out/….
//
//	/end_session ──▶ verdict ──▶ cookie's session? ──▶ (confirmation) ──▶ logout.Ender ──▶ page with frames ──▶ application
//	     ▲  POST: 303 to GET with a handle                                      └──▶ /signed-out/{interaction}: status, no frames
//
// The cookie decides whose session ends; a hint names the client and spares the question, nothing more. The browser is answered
// when the ending is committed, whatever relying parties do.
package signout
