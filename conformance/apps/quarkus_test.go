package apps

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
)

// TestQuarkusLosesItsSession: Quarkus sends PKCE only with the setting that its preset names. Its confirmations are
// untrusted: it keeps the logout token in memory until the user's next request.
func TestQuarkusLosesItsSession(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	java, jar := mustPackage(t, ctx, "quarkus", "quarkus-app/quarkus-run.jar")
	o, _ := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	err = o.AddClient(ctx, map[string]any{
		"client_id":                 "quarkus",
		"client_secret":             secret,
		"redirect_uris":             []string{url + "/callback"},
		"post_logout_redirect_uris": []string{url + "/"},
		"backchannel_logout_uri":    url + "/back-channel-logout",
		"require_pkce":              true,
		"confirmations":             "untrusted",
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(java, "-jar", jar)
	command.Env = append(
		os.Environ(),
		"QUARKUS_HTTP_PORT="+port,
		"QUARKUS_OIDC_AUTH_SERVER_URL="+o.Issuer,
		"QUARKUS_OIDC_CLIENT_ID=quarkus",
		"QUARKUS_OIDC_CREDENTIALS_SECRET="+secret,
	)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	const signedIn = "signed in as "
	toy := mustToy(t, ctx, o)
	mustLoseItsSession(t, ctx, toy, url+"/who", url+"/who", signedIn)
	mustEndTheSession(t, toy, url+"/who", url+"/logout", url+"/", signedIn)
}
