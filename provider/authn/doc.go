// Package authn authenticates users. An [Authenticator] is one way to do that; [Password] is the first.
//
//	signin:  next step ──▶ Authenticator.Page ──▶ the user's form ──▶ Authenticator.Authenticate ──▶ session
//	account: a form that changes the account ──────────────────────▶ Authenticator.Authenticate ──▶ change
//
// Package signin decides which step a request needs, and creates the session. Package account decides which changes
// need a new authentication. An authenticator performs one step: it writes the page that asks for the credential,
// checks the form, and limits the attempts ([Limiter]). It returns an [Authentication]: subject, auth_time, amr and
// acr. No other package writes an amr or acr value; the others copy them.
//
// A further authenticator needs a file here, a page in package templates, and an entry in the list that package
// provider passes to signin. If it needs a challenge, as a passkey or another OpenID provider does, it seals the
// challenge into the interaction with [Prompt.Seal] and reads it from [Attempt.State]. Nothing is stored before the
// credential is verified.
package authn
