// Package logoutview shows users the effect of a logout. Before the logout, it shows how long apps may still trust the
// session. Afterwards, it shows the signed-out page (/signed-out/…) with the state of each app. provider/signout and
// provider/account call [Handler.EndAndRender] to end sessions that include this browser's own.
//
//	EndAndRender ──▶ logout.Terminator.End ──▶ page with front-channel frames ──▶ post-logout redirect
//	                                               └──▶ /signed-out/{interaction}: state of each app, without frames
//
// Selectors, states and estimates come from package logout, and texts come from package templates.
package logoutview
