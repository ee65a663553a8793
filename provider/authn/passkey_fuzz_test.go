package authn

import (
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/curfew-id/curfew/storage"
)

// passkeyFixture has the user alice, an authenticator, and the states of two pages: one that registers a passkey and
// one that signs in with it.
type passkeyFixture struct {
	passkeys         *Passkeys
	user             storage.User
	register, signIn Attempt
	registration     string // the authenticator's answer to the first page
	assertion        string // and to the second page
}

func mustPasskeyFixture(f *testing.F) passkeyFixture {
	f.Helper()
	store := mustStore(f, filepath.Join(f.TempDir(), "curfew.db"))
	passkeys, err := NewPasskeys("https://op.example", store, Limiter{Store: store})
	if err != nil {
		f.Fatal(err)
	}
	p := passkeyFixture{passkeys: passkeys, user: storage.User{Subject: "alice", Name: "alice"}}
	if err := store.PutUser(f.Context(), p.user); err != nil {
		f.Fatal(err)
	}
	site := virtualwebauthn.RelyingParty{ID: "op.example", Name: "op.example", Origin: "https://op.example"}
	authenticator := virtualwebauthn.NewAuthenticatorWithOptions(
		virtualwebauthn.AuthenticatorOptions{UserHandle: []byte("alice")},
	)
	credential := newCredential()
	p.register = p.mustAttempt(f, func() (string, any, error) {
		options, state, err := passkeys.BeginRegistration(f.Context(), p.user, start)
		if err == nil {
			var parsed *virtualwebauthn.AttestationOptions
			if parsed, err = virtualwebauthn.ParseAttestationOptions(options); err == nil {
				p.registration = virtualwebauthn.CreateAttestationResponse(site, authenticator, credential, *parsed)
			}
		}
		return options, state, err
	})
	p.register.User = &p.user
	passkey, err := passkeys.Register(f.Context(), p.register.with(p.registration))
	if err != nil {
		f.Fatal(err)
	}
	err = store.ChangeFactors(f.Context(), "alice", func(factors *storage.Factors) error {
		return AddPasskey(factors, passkey)
	})
	if err != nil {
		f.Fatal(err)
	}
	p.signIn = p.mustAttempt(f, func() (string, any, error) {
		options, state, err := passkeys.Begin(f.Context(), nil, start)
		if err == nil {
			var parsed *virtualwebauthn.AssertionOptions
			if parsed, err = virtualwebauthn.ParseAssertionOptions(options); err == nil {
				p.assertion = virtualwebauthn.CreateAssertionResponse(site, authenticator, credential, *parsed)
			}
		}
		return options, state, err
	})
	return p
}

// newCredential returns a passkey that the library encodes well: one in 128 keys has a coordinate that begins with a
// zero byte, which virtualwebauthn leaves out.
func newCredential() virtualwebauthn.Credential {
	const encodedLength = 77 // of a COSE key with coordinates of 32 bytes
	for {
		credential := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if len(credential.Key.AttestationData()) == encodedLength {
			return credential
		}
	}
}

// mustAttempt returns an attempt with the sealed state of a page.
func (p passkeyFixture) mustAttempt(f *testing.F, begin func() (options string, state any, err error)) Attempt {
	f.Helper()
	_, state, err := begin()
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := json.Marshal(state)
	if err != nil {
		f.Fatal(err)
	}
	return Attempt{State: sealed, At: start}
}

// with returns the attempt with an answer.
func (a Attempt) with(answer string) Attempt {
	a.Form = url.Values{FieldCredential: {answer}}
	return a
}

// FuzzPasskeyAnswer: an answer of an authenticator that is not exactly right is refused, and none is a failure of
// Curfew. The right one counts once.
func FuzzPasskeyAnswer(f *testing.F) {
	p := mustPasskeyFixture(f)
	f.Add(p.registration)
	f.Add(p.assertion)
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA",` +
			`"signature":"AA","userHandle":"YWxpY2U"}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`,
	} {
		f.Add(seed)
	}
	if _, err := p.passkeys.finish(f.Context(), p.signIn.with(p.assertion), nil); err != nil {
		f.Fatalf("the right answer: got error %v", err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		_, registerErr := p.passkeys.Register(t.Context(), p.register.with(answer))
		_, signInErr := p.passkeys.finish(t.Context(), p.signIn.with(answer), nil)
		for what, err := range map[string]error{"registration": registerErr, "sign-in": signInErr} {
			if _, refused := errors.AsType[*Refusal](err); !refused {
				t.Errorf("%s: got %v, want a refusal of %s", what, err, answer)
			}
		}
	})
}
