// Package logoutview shows users what a logout does: before it, how long apps may still trust the session; after it,
// the signed-out page (/signed-out/…) and the state of each app. provider/signout and provider/account both end
// sessions through [Handler.EndAndRender] where this browser's own session is among them.
//
//	EndAndRender ──▶ logout.Terminator.End ──▶ page with front-channel frames ──▶ post-logout redirect
//	                                               └──▶ /signed-out/{interaction}: state of each app, without frames
//
// The package decides nothing about an ending: selectors, states and estimates come from package logout, texts from
// templates.
package logoutview
