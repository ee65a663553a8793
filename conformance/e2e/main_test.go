// Package e2e drives a built curfew as people do: from the command line and with real browsers, through pages, forms and the back
// button. It knows nothing of the inside.
package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/rp"
)

const (
	password = "correct horse battery staple"
	secret   = "0123456789abcdef0123456789abcdef" // of every client
	root     = "../.."                            // of the module
)

// program is the binary under test, and temporary a folder whose path is short enough for a socket's.
var program, temporary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if temporary, err = os.MkdirTemp("", "e2e-"); err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(temporary)
	if program, err = op.Build(context.Background(), temporary, raced); err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// mustNeed skips the test if a program is missing, or fails it where everything has to be there, as in continuous integration.
func mustNeed(t *testing.T, name, debian string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CURFEW_REQUIRE_ALL") != "" {
		t.Fatalf("%v: install the Debian package %s", err, debian)
	}
	t.Skipf("skipped: %v; it is in the Debian package %s", err, debian)
	return ""
}

// mustFolder makes a folder of the test's own with a short path.
func mustFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp(temporary, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// mustProvider starts a provider at http://curfew.localhost with a person, ann.
func mustProvider(t *testing.T) *op.OP {
	t.Helper()
	mustTrackSources(t)
	o, err := op.New(program, mustFolder(t), "curfew.localhost", nil)
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
	url := mustSite(t, strings.ToLower(c.Name), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	c.URL, c.Issuer, c.ClientID, c.ClientSecret = url, o.Issuer, strings.ToLower(c.Name), secret
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

// mustTrackSources looks at every file that the program is built from: go test keeps a result as long as what the test itself looked at
// stays the same, and the compiler is another process.
func mustTrackSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case "bin", "build", "node_modules", "testdata", ".git":
				return fs.SkipDir
			}
			return nil
		}
		_, err = os.Stat(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
