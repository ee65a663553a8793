package signin_test

import (
	"context"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage/bolt"
	"github.com/curfew-id/curfew/templates"
)

// echo is a second authenticator, as small as one can be: its page shows a challenge, and alice proves herself by
// sending it back. The challenge stands nowhere but in the sealed interaction. This type and echoPage are all that a
// second authenticator needs.
type echo struct{ store *bolt.Store }

var echoPage = template.Must(template.New("echo").Parse(`<form method="post" action="{{.Action}}">
<input type="hidden" name="interaction" value="{{.Interaction}}"><code>{{.Challenge}}</code><input name="echo"></form>`))

func (e echo) Method() string { return "echo" }
func (e echo) Label() string  { return "Send a word back" }

func (e echo) Page(_ context.Context, prompt authn.Prompt) (func(io.Writer) error, error) {
	challenge := keys.Random()
	action, interaction, err := prompt.Seal(challenge)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"Action": action, "Interaction": interaction, "Challenge": challenge}
	return func(w io.Writer) error { return echoPage.Execute(w, data) }, nil
}

func (e echo) Authenticate(ctx context.Context, attempt authn.Attempt) (authn.Authentication, error) {
	var challenge string
	if err := json.Unmarshal(attempt.State, &challenge); err != nil || attempt.Form.Get("echo") != challenge {
		return authn.Authentication{}, &authn.Refusal{
			Problem: templates.Problem{Fault: templates.WrongCredentials},
			Reason:  "wrong word",
		}
	}
	user, err := e.store.User(ctx, "sub-alice")
	return authn.Authentication{User: user, AuthTime: attempt.At, AMR: []string{"swk"}, ACR: authn.ACRMultiFactor}, err
}

func (e echo) Recheck(context.Context, authn.Authentication) error { return nil }

// TestSecondAuthenticatorSignsIn: its page is linked from the first one's, and the session has its amr and acr.
func TestSecondAuthenticatorSignsIn(t *testing.T) {
	f := mustStartWith(t, func(store *bolt.Store) []authn.Authenticator {
		return []authn.Authenticator{newPassword(store, password.NewHasher(providertest.CheapPasswords)), echo{store}}
	})
	b := f.Browser()
	first := b.Get(providertest.AuthorizeURL("atlas", "state", "s1"))
	second := b.Get(mustMatch(t, first, `href="([^"]*)">Send a word back<`))
	again := b.Submit(second, "echo", "something else")
	if len(mustListSessions(t, f)) != 0 {
		t.Fatal("got a session without a proof")
	}
	answer := b.Submit(again, "echo", mustMatch(t, again, `<code>([^<]*)</code>`))
	if answer.ResponseParams(t).Get("code") == "" || answer.ResponseParams(t).Get("state") != "s1" {
		t.Fatalf("got %d to %q, want a code", answer.Status, answer.Header.Get("Location"))
	}
	sessions := mustListSessions(t, f)
	if len(sessions) != 1 || !slices.Equal(sessions[0].AMR, []string{"swk"}) || sessions[0].ACR != authn.ACRMultiFactor {
		t.Errorf("got %+v, want one session with amr swk and acr mfa", sessions)
	}
}

// TestChallengeIsOfOneInteraction: the answer to another interaction's challenge, or from another browser, proves
// nothing.
func TestChallengeIsOfOneInteraction(t *testing.T) {
	f := mustStartWith(t, func(store *bolt.Store) []authn.Authenticator { return []authn.Authenticator{echo{store}} })
	b, thief := f.Browser(), f.Browser()
	mine := b.Get(providertest.AuthorizeURL("atlas"))
	challenge := mustMatch(t, mine, `<code>([^<]*)</code>`)
	b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "echo", challenge)
	thief.Get(providertest.AuthorizeURL("atlas"))
	if p := thief.Submit(mine, "echo", challenge); p.Status != http.StatusBadRequest {
		t.Errorf("got %d for the challenge of another browser, want 400", p.Status)
	}
	if sessions := mustListSessions(t, f); len(sessions) != 0 {
		t.Errorf("got %d sessions", len(sessions))
	}
	if p := b.Submit(mine, "echo", challenge); p.ResponseParams(t).Get("code") == "" {
		t.Errorf("got %d for the right answer:\n%s", p.Status, p.Body)
	}
}

// TestReauthenticationKeepsTheAccount: prompt=login asks the user of the session, whatever user name the form sends.
func TestReauthenticationKeepsTheAccount(t *testing.T) {
	f := mustStartWith(t, nil)
	f.MustAddUser("bob")
	b := f.Browser()
	b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
	before := mustListSessions(t, f)
	p := b.Submit(
		b.Get(providertest.AuthorizeURL("atlas", "prompt", "login")),
		"username",
		"bob",
		"password",
		providertest.Password,
	)
	if p.ResponseParams(t).Get("code") == "" {
		t.Fatalf("got %d, want a code:\n%s", p.Status, p.Body)
	}
	after := mustListSessions(t, f)
	if len(before) != 1 || len(after) != 1 || after[0].ID != before[0].ID ||
		after[0].SecretHash == before[0].SecretHash {
		t.Errorf("got %+v, want the same session with a new secret", after)
	}
}

// TestSilentRequestNeedsASession: prompt=none is answered with login_required, and never with a page (Core §3.1.2.6).
func TestSilentRequestNeedsASession(t *testing.T) {
	f := mustStartWith(t, nil)
	b := f.Browser()
	if p := b.Get(providertest.AuthorizeURL("atlas", "prompt", "none")); p.ResponseParams(t).
		Get("error") !=
		"login_required" {
		t.Errorf("got %d to %q", p.Status, p.Header.Get("Location"))
	}
	b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
	if p := b.Get(providertest.AuthorizeURL("atlas", "prompt", "none")); p.ResponseParams(t).Get("code") == "" {
		t.Errorf("got %d to %q, want a code", p.Status, p.Header.Get("Location"))
	}
}

// TestCancelGoesBackToTheClient with access_denied and the state (RFC 6749 §4.1.2.1).
func TestCancelGoesBackToTheClient(t *testing.T) {
	f := mustStartWith(t, nil)
	b := f.Browser()
	link := mustMatch(t, b.Get(providertest.AuthorizeURL("atlas", "state", "s1")), `id="cancel" href="([^"]*)"`)
	p := b.Get(link)
	if p.ResponseParams(t).Get("error") != "access_denied" || p.ResponseParams(t).Get("state") != "s1" {
		t.Errorf("got %d to %q", p.Status, p.Header.Get("Location"))
	}
}
