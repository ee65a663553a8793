package apps

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
)

// TestAuthlibLosesItsSession: Authlib has no back channel. An app that asks userinfo loses its session when Curfew
// revokes the access token, and an app that signs out ends the session at Curfew.
func TestAuthlibLosesItsSession(t *testing.T) {
	python, err := filepath.Abs("authlib/.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		need.Missing(t, "Authlib is not here: run .ci/deps")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o, _ := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	err = o.AddClient(ctx, map[string]any{
		"client_id":                 "authlib",
		"client_secret":             secret,
		"redirect_uris":             []string{url + "/auth"},
		"post_logout_redirect_uris": []string{url + "/who"},
		"id_token_claims":           "scope",
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "server.py")
	command.Dir = "authlib"
	command.Env = append(
		os.Environ(),
		"ISSUER="+o.Issuer,
		"CLIENT_ID=authlib",
		"CLIENT_SECRET="+secret,
		"PORT="+port,
	)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	const signedIn = `"email":"ada@example.org"`
	toy := mustToy(t, ctx, o)
	mustLoseItsSession(t, ctx, toy, url+"/login", url+"/who", signedIn)
	mustEndTheSession(t, toy, url+"/login", url+"/logout", url+"/who", signedIn)
}

// mustEndTheSession signs ada in at an app and at the toy, and signs out at the app. It checks that the browser is back
// at the app, that the app shows no user, and that Curfew asks for the password again.
func mustEndTheSession(t *testing.T, toy, login, logout, back, signedIn string) {
	t.Helper()
	v, err := op.NewBrowser(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := v.SignIn(login, "ada", password); err != nil {
		t.Fatalf("got %v at %s", err, p.URL)
	}
	if p, err := v.SignIn(toy+"/login", "ada", password); err != nil ||
		!strings.Contains(p.Body, `data-signed-in="true"`) {
		t.Fatalf("got %v, not signed in at the toy:\n%s", err, p.Body)
	}
	p, err := v.Get(logout)
	if err != nil || !strings.Contains(p.Body, `href="`+back) {
		t.Fatalf("got %v, want the signed-out page with a way back to %s:\n%s", err, back, p.Body)
	}
	if p, err := v.Get(back); err != nil || strings.Contains(p.Body, signedIn) {
		t.Errorf("got %v, still signed in at the app:\n%s", err, p.Body)
	}
	if p, err := v.Get(login); err != nil || !strings.Contains(p.Body, `id="password"`) {
		t.Errorf("got %v, want the sign-in page after the logout:\n%s", err, p.Body)
	}
}
