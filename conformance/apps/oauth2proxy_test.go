package apps

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
)

// findOAuth2Proxy returns the path of oauth2-proxy: in bin of this repository, where .ci/deps installs it, or in PATH.
func findOAuth2Proxy(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("../../bin/oauth2-proxy"); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("oauth2-proxy")
	if err != nil {
		need.Missing(t, "oauth2-proxy is not here: run .ci/deps")
	}
	return path
}

// TestOAuth2ProxyLosesItsSession: oauth2-proxy has no back channel. With cookie-refresh it asks Curfew for new tokens;
// after a logout it gets none, and keeps the session until its last ID token expires. Its own sign-out is a request from
// its server with the ID token as the hint.
func TestOAuth2ProxyLosesItsSession(t *testing.T) {
	program := findOAuth2Proxy(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o, _ := mustProvideWith(t, ctx, map[string]any{"token": map[string]any{"id": "5s"}})
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	app := "http://127.0.0.1:" + port
	err = o.AddClient(ctx, map[string]any{
		"client_id":                 "oauth2-proxy",
		"client_secret":             secret,
		"redirect_uris":             []string{app + "/oauth2/callback"},
		"post_logout_redirect_uris": []string{app + "/"},
		"grant_types":               []string{"authorization_code", "refresh_token"},
		"require_pkce":              true,
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program,
		"--provider=oidc",
		"--oidc-issuer-url="+o.Issuer,
		"--client-id=oauth2-proxy",
		"--client-secret="+secret,
		"--code-challenge-method=S256",
		"--cookie-secret=0123456789abcdef0123456789abcdef",
		"--cookie-secure=false",
		"--cookie-refresh=1s",
		"--email-domain=*",
		"--http-address=127.0.0.1:"+port,
		"--redirect-url="+app+"/oauth2/callback",
		"--upstream=static://202",
		"--skip-provider-button",
		"--backend-logout-url="+o.Issuer+"/end_session?id_token_hint={id_token}",
	)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	mustLoseItsSession(t, ctx, mustToy(t, ctx, o), app+"/", app+"/", "Authenticated")

	v, err := op.NewBrowser(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := v.SignIn(app+"/", "ada", password); err != nil || !strings.Contains(p.Body, "Authenticated") {
		t.Fatalf("got %v at %s:\n%s", err, p.URL, p.Body)
	}
	if _, err := v.Get(app + "/oauth2/sign_out?rd=" + url.QueryEscape("/ping")); err != nil {
		t.Fatal(err)
	}
	trail, err := o.Run(ctx, "", "audit", "--client", "oauth2-proxy", "--kind", "client_session.ended", "-o", "json")
	if err != nil || !strings.Contains(trail, `"by":"client:oauth2-proxy"`) {
		t.Errorf("got %v and trail %q, want the client session ended by its server", err, trail)
	}
}
