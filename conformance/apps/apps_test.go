// Package apps tests Curfew with widely used relying parties: it signs users in there and signs them out elsewhere.
package apps

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
)

const (
	password = "correct horse battery staple"
	secret   = "0123456789abcdef0123456789abcdef"
	modules  = "/usr/lib/apache2/modules"
)

// mustProvide starts a provider with one user. The applications cannot resolve *.localhost, so everybody is at
// 127.0.0.1.
func mustProvide(t *testing.T, ctx context.Context) (o *op.OP, folder string) {
	t.Helper()
	return mustProvideWith(t, ctx, nil)
}

// mustProvideWith is mustProvide with further keys of the configuration.
func mustProvideWith(t *testing.T, ctx context.Context, settings map[string]any) (o *op.OP, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "apps") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	program, err := op.Build(ctx, folder, false)
	if err != nil {
		t.Fatal(err)
	}
	if o, err = op.New(program, folder, "127.0.0.1", settings); err != nil {
		t.Fatal(err)
	}
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	if err := o.AddUser(ctx, "ada", password); err != nil {
		t.Fatal(err)
	}
	return o, folder
}

// mustToy serves the example relying party, at which users sign out in these tests.
func mustToy(t *testing.T, ctx context.Context, o *op.OP) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	app := rp.New(
		rp.Config{Name: "Toy", URL: url, Issuer: o.Issuer, ClientID: "toy", ClientSecret: secret, BackChannel: true},
	)
	server := &http.Server{Handler: app}
	go server.Serve(l) // until Close
	t.Cleanup(func() { server.Close() })
	if err := o.AddClient(ctx, app.Metadata()); err != nil {
		t.Fatal(err)
	}
	return url
}

// mustRun runs a program until the end of the test and waits until address takes connections.
func mustRun(t *testing.T, ctx context.Context, command *exec.Cmd, address string) {
	t.Helper()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var log op.Log
	read := make(chan struct{})
	go func() {
		defer close(read)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			log.Write(append(scanner.Bytes(), '\n'))
		}
	}()
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM)
		<-read
		command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("got nothing listening at %s:\n%s", address, log.String())
		case <-tick.C:
		}
	}
}

// mustLoseItsSession signs ada in at an application's page and at the toy, signs out at the toy, and waits until the
// application asks to sign in again. signedIn says what the page shows to somebody signed in.
func mustLoseItsSession(t *testing.T, ctx context.Context, toy, login, page, signedIn string) {
	t.Helper()
	v, err := op.NewBrowser(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := v.SignIn(login, "ada", password); err != nil {
		t.Fatalf("got %v at %s", err, p.URL)
	}
	if p, err := v.Get(page); err != nil || !strings.Contains(p.Body, signedIn) {
		t.Fatalf("got %v, not signed in at %s (%d):\n%s", err, p.URL, p.Status, p.Body)
	}
	if p, err := v.SignIn(toy+"/login", "ada", password); err != nil ||
		!strings.Contains(p.Body, `data-signed-in="true"`) {
		t.Fatalf("got %v, not signed in at the toy:\n%s", err, p.Body)
	}
	if p, err := v.Get(toy + "/logout"); err != nil || !strings.Contains(p.Body, `id="signed-out"`) {
		t.Fatalf("got %v, want the signed-out page:\n%s", err, p.Body)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := v.Get(page)
		if err == nil && !strings.Contains(p.Body, signedIn) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("got %v, still signed in at %s", err, page)
		case <-tick.C:
		}
	}
}

// TestExpressLosesItsSession: express-openid-connect on Node. It signs out too much when it sees sub and sid, so it
// gets sid alone.
func TestExpressLosesItsSession(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		need.Missing(t, "Node is not here: install Debian's nodejs and npm")
	}
	if _, err := os.Stat("express/node_modules/express-openid-connect"); err != nil {
		need.Missing(t, "express-openid-connect is not here: run `npm ci` in conformance/apps/express")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o, _ := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	err = o.AddClient(
		ctx,
		map[string]any{
			"client_id":     "express",
			"client_secret": secret,
			"redirect_uris": []string{url + "/callback"},
			"post_logout_redirect_uris": []string{
				url,
			},
			"backchannel_logout_uri": url + "/backchannel-logout",
			"logout_token_claims":    "sid",
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(node, "server.js")
	command.Dir = "express"
	command.Env = append(
		os.Environ(),
		"ISSUER="+o.Issuer,
		"BASE_URL="+url,
		"CLIENT_ID=express",
		"CLIENT_SECRET="+secret,
		"PORT="+port,
	)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	mustLoseItsSession(t, ctx, mustToy(t, ctx, o), url+"/login", url+"/who", `"signedIn":true`)
}

// TestApacheLosesItsSession: mod_auth_openidc. Its logout URI has a query, and it revokes its tokens here before it
// answers a logout token.
func TestApacheLosesItsSession(t *testing.T) {
	apache, err := exec.LookPath("/usr/sbin/apache2")
	if err != nil {
		need.Missing(t, "Apache is not here: install Debian's apache2 and libapache2-mod-auth-openidc")
	}
	if _, err := os.Stat(filepath.Join(modules, "mod_auth_openidc.so")); err != nil {
		need.Missing(t, "mod_auth_openidc is not here: install Debian's libapache2-mod-auth-openidc")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o, folder := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:" + port
	err = o.AddClient(
		ctx,
		map[string]any{
			"client_id":     "apache",
			"client_secret": secret,
			"redirect_uris": []string{url + "/private/callback"},
			"post_logout_redirect_uris": []string{
				url + "/",
			},
			"backchannel_logout_uri": url + "/private/callback?logout=backchannel",
			"scope":                  "openid profile email",
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(folder, "apache")
	if err := os.MkdirAll(filepath.Join(root, "pages", "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"index.html": "outside", "private/index.html": "the private page"} {
		if err := os.WriteFile(filepath.Join(root, "pages", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{
		"Root":         root,
		"Port":         port,
		"Modules":      modules,
		"Issuer":       o.Issuer,
		"ClientID":     "apache",
		"ClientSecret": secret,
	}
	if os.Getuid() == 0 { // Apache does not serve as root
		settings["User"] = "www-data"
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.Create(filepath.Join(root, "apache.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := template.Must(template.ParseFiles("apache.conf.tmpl")).Execute(config, settings); err != nil {
		t.Fatal(err)
	}
	if err := config.Close(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, ctx, exec.Command(apache, "-X", "-f", config.Name()), "127.0.0.1:"+port)
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(root, "error.log")); err == nil && t.Failed() {
			t.Logf("%s", log)
		}
	})
	mustLoseItsSession(
		t,
		ctx,
		mustToy(t, ctx, o),
		url+"/private/index.html",
		url+"/private/index.html",
		"the private page",
	)
}
