package browser

import (
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// mustAuthenticator gives the tab an authenticator that holds passkeys and verifies its user.
func mustAuthenticator(p *tab) webauthn.AuthenticatorID {
	p.t.Helper()
	mustCall(p, webauthn.Enable, webauthn.EnableParams{})
	return mustCall(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol:                    "ctap2",
			Transport:                   "internal",
			HasResidentKey:              true,
			HasUserVerification:         true,
			AutomaticPresenceSimulation: true,
			IsUserVerified:              true,
		},
	}).AuthenticatorID
}

// TestPasskeySignsInWithoutAUserName: registered on the account pages, used in a browser without a session, listed with
// its use, removed, and worth nothing then.
func TestPasskeySignsInWithoutAUserName(t *testing.T) {
	o := mustProvider(t, "passkeys")
	p := mustTab(t, mustChromium(t), chromedp.WithNewBrowserContext())
	mustAuthenticator(p)
	p.mustSignIn(o.Issuer+"/account/factors", "ann", password)
	p.mustClick("#add-passkey")
	p.mustWait("document.querySelector('#create-passkey')")
	p.mustDo("name", chromedp.SetValue(chromedp.CSS("#name"), "Laptop"))
	p.mustClick("#create-passkey")
	p.mustWait("document.querySelector('input[name=rename]')")
	if got := mustShow[string](p, "document.querySelector('input[type=text][name=name]').value"); got != "Laptop" {
		t.Errorf("got a passkey called %q, want Laptop", got)
	}

	mustSignOut := func() {
		t.Helper()
		p.mustGo(o.Issuer + "/end_session")
		p.mustClick("button.primary")
		p.mustWait("!document.querySelector('button.primary')")
	}
	mustSignOut()
	// Chromium answers the form's own request (conditional UI) at once: the user's presence is simulated.
	p.mustGo(o.Issuer + "/account/factors")
	p.mustWait("document.querySelector('input[name=rename]')")
	p.mustWaitText("section", "Last used")

	mustShow[bool](p, "document.querySelector('details').open = true")
	p.mustClick("button.remove-factor")
	p.mustWait("document.querySelector('#notice') && !document.querySelector('input[name=rename]')")
	mustSignOut()
	p.mustGo(o.Issuer + "/account")
	p.mustWait("document.querySelector('#problem')")
	if mustShow[bool](p, "Boolean(document.querySelector('nav.tabs'))") {
		t.Error("a removed passkey signed in")
	}
}
