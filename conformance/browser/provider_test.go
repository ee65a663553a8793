package browser

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
)

const (
	password = "correct horse battery staple"
	secret   = "0123456789abcdef0123456789abcdef" // of every client
)

// mustProvider starts a provider at http://HOST.localhost with a user, ann.
func mustProvider(t *testing.T, host string) *op.OP {
	t.Helper()
	o, err := op.New(mustBuild(t), mustFolder(t), host+".localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Kill()
		if t.Failed() {
			t.Logf("the provider's log:\n%s", o.Log.String())
		}
	})
	if err := o.AddUser(t.Context(), "ann", password); err != nil {
		t.Fatal(err)
	}
	return o
}

// mustApp runs an application at http://NAME.localhost and registers it with further metadata.
func mustApp(t *testing.T, o *op.OP, c rp.Config, metadata map[string]any) (*rp.App, string) {
	t.Helper()
	var app *rp.App
	url := mustSite(
		t,
		strings.ToLower(c.Name),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }),
	)
	c.URL = url
	c.Issuer = o.Issuer
	c.ClientID = strings.ToLower(c.Name)
	c.ClientSecret = secret
	app = rp.New(c)
	registered := app.Metadata()
	for name, value := range metadata {
		registered[name] = value
	}
	if err := o.AddClient(t.Context(), registered); err != nil {
		t.Fatal(err)
	}
	return app, url
}

// mustSite serves something at http://HOST.localhost and returns its URL.
func mustSite(t *testing.T, host string, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l) // until Close
	t.Cleanup(func() { server.Close() })
	return fmt.Sprintf("http://%s.localhost:%d", host, l.Addr().(*net.TCPAddr).Port)
}
