// Package signin serves people on their way into an application: /authorize, /login/… and /consent/….
//
//	/authorize ──▶ parse, check ──▶ who is here? ──▶ /login/{interaction} ──▶ /consent/{interaction} ──▶ finish ──▶ application
//	                                     └───────── a living session and consent ────────────────┘
//
// Nothing is stored until somebody signs in: the request travels sealed in handles, bound to the browser. With a living session and
// consent, /authorize writes nothing at all; the code carries what the token endpoint needs. Finishing checks everything again:
// client, redirect URI, session, consent, freshness.
package signin
