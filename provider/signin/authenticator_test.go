package signin

import (
	"context"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// echo is a second authenticator, as small as one can be: its page shows a challenge, and alice proves herself by sending it back.
// The challenge stands nowhere but in the sealed interaction. This type and echoPage are all that a second authenticator needs.
type echo struct{ store Store }

var echoPage = template.Must(template.New("echo").Parse(`<form method="post" action="{{.Action}}">
<input type="hidden" name="interaction" value="{{.Interaction}}"><code>{{.Challenge}}</code><input name="echo"></form>`))

func (e echo) Method() string { return "echo" }
func (e echo) Label() string  { return "Send a word back" }

func (e echo) Page(_ context.Context, prompt authn.Prompt) (func(io.Writer) error, error) {
	challenge := keys.Random("")
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
	return authn.Authentication{User: user, AuthTime: attempt.At, AMR: []string{"swk"}, ACR: "2"}, err
}

func (e echo) Recheck(context.Context, authn.Authentication) error { return nil }

// TestSecondAuthenticatorSignsIn: its page is linked from the first one's, and the session has its amr and acr.
func TestSecondAuthenticatorSignsIn(t *testing.T) {
	g := newRig(t)
	g.handler.Authenticators = append(g.handler.Authenticators, echo{g.store})
	b := g.browser()
	first := b.get(authorizeURL("state", "s"))
	second := b.get(first.mustMatch(t, `href="([^"]*)">Send a word back<`))
	again := b.submit(second, "echo", "something else")
	if len(g.sessions()) != 0 {
		t.Fatal("got a session without a proof")
	}
	answer := b.submit(again, "echo", again.mustMatch(t, `<code>([^<]*)</code>`))
	if answer.responseParam("code") == "" || answer.responseParam("state") != "s" {
		t.Fatalf("got %d to %q, want a code", answer.Code, answer.Header().Get("Location"))
	}
	sessions := g.sessions()
	if len(sessions) != 1 || !slices.Equal(sessions[0].AMR, []string{"swk"}) || sessions[0].ACR != "2" {
		t.Errorf("got %+v, want one session with amr swk and acr 2", sessions)
	}
}

// TestChallengeIsOfOneInteraction: the answer to another interaction's challenge, or from another browser, proves nothing.
func TestChallengeIsOfOneInteraction(t *testing.T) {
	g := newRig(t)
	g.handler.Authenticators = []authn.Authenticator{echo{g.store}}
	b, thief := g.browser(), g.browser()
	mine := b.get(authorizeURL())
	challenge := mine.mustMatch(t, `<code>([^<]*)</code>`)
	b.submit(b.get(authorizeURL()), "echo", challenge)
	thief.get(authorizeURL())
	if p := thief.submit(mine, "echo", challenge); p.Code != http.StatusBadRequest {
		t.Errorf("got %d for the challenge of another browser, want 400", p.Code)
	}
	if sessions := g.sessions(); len(sessions) != 0 {
		t.Errorf("got %d sessions", len(sessions))
	}
	if p := b.submit(mine, "echo", challenge); p.responseParam("code") == "" {
		t.Errorf("got %d for the right answer:\n%s", p.Code, p.Body)
	}
}

// TestReauthenticationKeepsTheAccount: prompt=login asks the user of the session, whatever user name the form sends.
func TestReauthenticationKeepsTheAccount(t *testing.T) {
	g := newRig(t)
	hash := g.mustUser("sub-alice").Password
	if err := g.store.PutUser(t.Context(), storage.User{Subject: "sub-bob", Name: "bob", Password: hash}); err != nil {
		t.Fatal(err)
	}
	b := g.browser()
	b.submit(b.get(authorizeURL()), "username", "alice", "password", testPassword)
	before := g.sessions()
	p := b.submit(b.get(authorizeURL("prompt", "login")), "username", "bob", "password", testPassword)
	if p.responseParam("code") == "" {
		t.Fatalf("got %d, want a code:\n%s", p.Code, p.Body)
	}
	after := g.sessions()
	if len(before) != 1 || len(after) != 1 || after[0].ID != before[0].ID || after[0].SecretHash == before[0].SecretHash {
		t.Errorf("got %+v, want the same session with a new secret", after)
	}
}

// TestSilentRequestNeedsASession: prompt=none is answered with login_required, and never with a page (Core §3.1.2.6).
func TestSilentRequestNeedsASession(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	if p := b.get(authorizeURL("prompt", "none")); p.responseParam("error") != "login_required" {
		t.Errorf("got %d to %q", p.Code, p.Header().Get("Location"))
	}
	b.submit(b.get(authorizeURL()), "username", "alice", "password", testPassword)
	if p := b.get(authorizeURL("prompt", "none")); p.responseParam("code") == "" {
		t.Errorf("got %d to %q, want a code", p.Code, p.Header().Get("Location"))
	}
}

// TestCancelGoesBackToTheClient with access_denied and the state (RFC 6749 §4.1.2.1).
func TestCancelGoesBackToTheClient(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	link := b.get(authorizeURL("state", "s")).mustMatch(t, `id="cancel" href="([^"]*)"`)
	p := b.get(strings.TrimPrefix(link, issuer))
	if p.responseParam("error") != "access_denied" || p.responseParam("state") != "s" {
		t.Errorf("got %d to %q", p.Code, p.Header().Get("Location"))
	}
}

func (g *rig) mustUser(subject string) storage.User {
	g.t.Helper()
	u, err := g.store.User(g.t.Context(), subject)
	if err != nil {
		g.t.Fatal(err)
	}
	return u
}
