// Package signin takes a browser from an authorization request to the client's response: /authorize, /login/… and
// /consent/….
//
//	/authorize ──▶ parse ──▶ next step? ──▶ /login/{interaction} ──▶ /consent/{interaction} ──▶ finish ──▶ client
//	                             └────────── active session and consent ──────────────────────────┘
//
// step.go decides which step a request needs next, and decides again after each step. Package authn performs the
// authentication.
//
// Nothing is stored before a user has signed in. Until then the request is sealed in the URL of each page, bound to
// the browser (interaction.go). If the session is active and the user has consented, /authorize writes nothing to the
// store: the code itself carries the data for the token endpoint. Before sending a response, the package reads the
// client, the redirect URI, the session, the consent and the time of authentication again.
package signin
