package signin_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
)

// key is an authenticator with one passkey of a user.
type key struct {
	authenticator virtualwebauthn.Authenticator
	credential    virtualwebauthn.Credential
	origin        string
}

func newKey(user string) *key {
	return &key{
		authenticator: virtualwebauthn.NewAuthenticatorWithOptions(
			virtualwebauthn.AuthenticatorOptions{UserHandle: []byte("sub-" + user)},
		),
		credential: newCredential(),
		origin:     providertest.Issuer,
	}
}

// newCredential makes a credential whose key is well formed. The library leaves out leading zeros of coordinates, so
// that about one key in a hundred is not (RFC 9053 §7.1.1).
func newCredential() virtualwebauthn.Credential {
	const keyLength = 77 // bytes of a P-256 key as COSE
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if len(c.Key.AttestationData()) == keyLength {
			return c
		}
	}
}

func (k *key) relyingParty() virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{ID: "op.example", Name: "op.example", Origin: k.origin}
}

// passkeyForm is the form of a page that a passkey answers.
var passkeyForm = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)" data-passkey="\w+" data-options="([^"]*)".*?</form>`)

// mustAnswer sends the answer of the passkey, with more fields as pairs of name and value.
func (k *key) mustAnswer(t *testing.T, b *providertest.Browser, page providertest.Page, more ...string) providertest.Page {
	t.Helper()
	form := passkeyForm.FindStringSubmatch(page.Body)
	if form == nil {
		t.Fatalf("got %d without a form for a passkey:\n%s", page.Status, page.Body)
	}
	page.Body = form[0]
	text := html.UnescapeString(form[2])
	if strings.Contains(form[0], `data-passkey="create"`) {
		options, err := virtualwebauthn.ParseAttestationOptions(text)
		if err != nil {
			t.Fatal(err)
		}
		response := virtualwebauthn.CreateAttestationResponse(k.relyingParty(), k.authenticator, k.credential, *options)
		return b.Submit(page, append([]string{"credential", response}, more...)...)
	}
	options, err := virtualwebauthn.ParseAssertionOptions(text)
	if err != nil {
		t.Fatal(err)
	}
	response := virtualwebauthn.CreateAssertionResponse(k.relyingParty(), k.authenticator, k.credential, *options)
	return b.Submit(page, append([]string{"credential", response}, more...)...)
}

// mustRegister registers the passkey of the user who is signed in in b.
func (k *key) mustRegister(t *testing.T, b *providertest.Browser) {
	t.Helper()
	if page := k.mustAnswer(t, b, b.Get("/account/factors/passkey"), "name", "Laptop"); page.Path != "/account/factors?done=factor_added" {
		t.Fatalf("got %d at %s, want the passkey registered:\n%s", page.Status, page.Path, page.Body)
	}
}

func signedIn(page providertest.Page) bool { return page.Header.Get("Location") != "" }

// TestPasskeyAloneSignsIn with acr phr, without a user name and without another factor.
func TestPasskeyAloneSignsIn(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		k := newKey("alice")
		k.mustRegister(t, first)
		b := f.Browser()
		answer := k.mustAnswer(t, b, b.Get(providertest.AuthorizeURL("atlas")))
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
		session, err := f.Store.Session(t.Context(), f.MustFindSession("alice", b), time.Now())
		if err != nil || session.ACR != "phr" || strings.Join(session.AMR, " ") != "hwk user mfa" {
			t.Errorf("got acr %s amr %v, %v, want phr and hwk user mfa", session.ACR, session.AMR, err)
		}
	})
}

// TestForgedAnswersOfPasskeysAreRefused: each case differs from a good answer in one thing.
func TestForgedAnswersOfPasskeysAreRefused(t *testing.T) {
	for name, forge := range map[string]func(k *key){
		"another origin":       func(k *key) { k.origin = "https://op.example.evil.example" },
		"another port":         func(k *key) { k.origin = "https://op.example:8443" },
		"not verified":         func(k *key) { k.authenticator.Options.UserNotVerified = true },
		"user not present":     func(k *key) { k.authenticator.Options.UserNotPresent = true },
		"another key":          func(k *key) { k.credential.Key = newCredential().Key },
		"another user":         func(k *key) { k.authenticator.Options.UserHandle = []byte("sub-bob") },
		"unknown user":         func(k *key) { k.authenticator.Options.UserHandle = []byte("sub-none") },
		"counter that fell":    func(k *key) { k.credential.Counter = 4 },
		"counter that stopped": func(k *key) { k.credential.Counter = 5 },
		"counter gone":         func(k *key) { k.credential.Counter = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
				f.MustAddUser("bob")
				first := f.Browser()
				first.MustSignIn("alice", "atlas")
				k := newKey("alice")
				k.credential.Counter = 5
				k.mustRegister(t, first)
				forge(k)
				b := f.Browser()
				if signedIn(k.mustAnswer(t, b, b.Get(providertest.AuthorizeURL("atlas")))) {
					t.Error("signed in")
				}
			})
		})
	}
}

// TestAnswerOfAPasskeyCountsOnce, although the authenticator has no counter.
func TestAnswerOfAPasskeyCountsOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		k := newKey("alice")
		k.mustRegister(t, first)
		b := f.Browser()
		page := b.Get(providertest.AuthorizeURL("atlas"))
		if !signedIn(k.mustAnswer(t, b, page)) {
			t.Fatal("the first answer did not sign in")
		}
		delete(b.Cookies, "__Host-curfew-session")
		time.Sleep(time.Minute) // no double click
		if signedIn(k.mustAnswer(t, b, page)) {
			t.Error("an answer to a used challenge signed in")
		}
	})
}

// TestRemovedPasskeySignsNoUserIn: after its removal, and with a disabled user.
func TestRemovedPasskeySignsNoUserIn(t *testing.T) {
	for name, remove := range map[string]string{"removed": "/users/alice/factors/all", "disabled": "/users/alice/disable"} {
		inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
			first := f.Browser()
			first.MustSignIn("alice", "atlas")
			k := newKey("alice")
			k.mustRegister(t, first)
			b := f.Browser()
			page := b.Get(providertest.AuthorizeURL("atlas"))
			method := "DELETE"
			if name == "disabled" {
				method = "POST"
			}
			f.MustAdmin(method, remove, "")
			if signedIn(k.mustAnswer(t, b, page)) {
				t.Errorf("%s: signed in", name)
			}
		})
	}
}

// TestPasskeyIsASecondFactor for a client that requires two, in a session of a password; and after the password for a
// user with an authenticator app.
func TestPasskeyIsASecondFactor(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		k := newKey("alice")
		k.mustRegister(t, b)
		mustEnrol(t, b)
		other := f.Browser()
		page := mustSendPassword(other)
		answer := k.mustAnswer(t, other, page)
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
		if again := newKey("alice"); signedIn(again.mustAnswer(t, other, mustSendPassword(f.Browser()))) {
			t.Error("an unknown passkey was the second factor")
		}
	})
}

// TestRequiredPasskeyIsSetUpWhileSigningIn, and a password alone gives no session after that.
func TestRequiredPasskeyIsSetUpWhileSigningIn(t *testing.T) {
	require := func(c *provider.Config) { c.Authn.Require = "passkey" }
	inBubble(t, require, func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		k := newKey("alice")
		codes := k.mustAnswer(t, b, mustSendPassword(b), "name", "Laptop")
		mustReadCodes(t, codes)
		answer := b.Get(mustMatch(t, codes, `id="continue" class="button primary" href="([^"]*)"`))
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
		thief := f.Browser()
		if page := mustSendPassword(thief); strings.Contains(page.Body, `data-passkey="create"`) || thief.SignedIn("atlas") {
			t.Error("a password alone registers a second passkey or signs in")
		}
	})
}
