// Package signin takes a browser from an authorization request to the client's response: /authorize, /login/… and
// /consent/….
//
//	/authorize ──▶ parse ──▶ next step? ──▶ /login/{interaction} ──▶ /consent/{interaction} ──▶ finish ──▶ client
//	                             └────────── active session and consent ──────────────────────────┘
//
// step.go decides which step a request needs next, and asks again after each one. Package authn performs the step
// that proves who the user is.
//
// Nothing is stored before a user has signed in. Until then the request is sealed in the URL of each page, bound to
// the browser (interaction.go). With an active session and consent, /authorize writes nothing: the code carries what
// the token endpoint needs. Before a response is sent, the client, the redirect URI, the session, the consent and the
// age of the authentication are read again.
package signin
