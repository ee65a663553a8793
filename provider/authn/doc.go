// Package authn proves who a user is. An [Authenticator] is one way to do that; [Password] is the first.
//
//	signin:  which step is next? ──▶ Authenticator.Page ──▶ the user's form ──▶ Authenticator.Authenticate ──▶ session
//	account: a form that changes something ───────────────────────────────────▶ Authenticator.Authenticate ──▶ change
//
// Package signin decides which step a request needs and what a session is made of; package account decides which
// changes need a fresh proof. An authenticator performs one step: it writes the page that asks for the proof, checks
// what the page sends, and limits the attempts ([Limiter]). What it returns is an [Authentication]: subject,
// auth_time, amr and acr. No other package writes an amr or acr value; the others copy them.
//
// A further authenticator is one file here, one page in package templates, and one entry in the list that package
// provider passes to signin. An authenticator that needs a challenge, such as a passkey or another OpenID provider,
// seals it into the interaction with [Prompt.Seal] and finds it again in [Attempt.State]; nothing is stored before
// the proof is correct.
package authn
