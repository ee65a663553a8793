package apps

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
)

// mustPackage returns the program of a Maven project, which it builds with CURFEW_APPS=full. It skips the test if the
// project was not built and nothing asks for it: the first build takes minutes.
func mustPackage(t *testing.T, ctx context.Context, folder, program string) (java, jar string) {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		need.Missing(t, "Java is not here: install Debian's openjdk-17-jdk-headless")
	}
	jar, err = filepath.Abs(filepath.Join(folder, "target", program))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("CURFEW_APPS") == "full" {
		command := exec.CommandContext(ctx, "mvn", "-q", "-B", "package")
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", folder, err, out)
		}
	}
	if _, err := os.Stat(jar); err != nil {
		t.Skipf("%s is not built: set CURFEW_APPS=full, which builds it with Maven in minutes, "+
			"or run `mvn package` in conformance/apps/%s", folder, folder)
	}
	return java, jar
}

// TestSpringSecurityLosesItsSession: Spring Security has a back channel. It sends no PKCE as it comes, and is accepted
// by its nonce.
func TestSpringSecurityLosesItsSession(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	java, jar := mustPackage(t, ctx, "spring", "spring-1.jar")
	o, _ := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	err = o.AddClient(ctx, map[string]any{
		"client_id":                 "spring",
		"client_secret":             secret,
		"redirect_uris":             []string{url + "/login/oauth2/code/curfew"},
		"post_logout_redirect_uris": []string{url + "/"},
		"backchannel_logout_uri":    url + "/logout/connect/back-channel/curfew",
	})
	if err != nil {
		t.Fatal(err)
	}
	const registration = "SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_CURFEW_"
	command := exec.Command(java, "-jar", jar)
	command.Env = append(
		os.Environ(),
		"SERVER_ADDRESS=127.0.0.1",
		"SERVER_PORT="+port,
		registration+"CLIENT_ID=spring",
		registration+"CLIENT_SECRET="+secret,
		registration+"SCOPE=openid,email",
		"SPRING_SECURITY_OAUTH2_CLIENT_PROVIDER_CURFEW_ISSUER_URI="+o.Issuer,
	)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	const signedIn = "signed in as ada@example.org"
	toy := mustToy(t, ctx, o)
	mustLoseItsSession(t, ctx, toy, url+"/who", url+"/who", signedIn)
	mustEndTheSession(t, toy, url+"/who", url+"/logout", url+"/", signedIn)
}
