// Package browser tests a built curfew with real browsers: the pages, sign-outs, the back button, and browsers without
// scripts. It does not import the provider's packages.
package browser

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/curfew-id/curfew/conformance/op"
)

// temporary is the folder of everything that these tests leave; its path is short enough for a socket's.
var temporary string

// build builds the binary under test, for the first test that needs it; buildDemo does so for the demo.
var (
	build     = sync.OnceValues(func() (string, error) { return op.Build(context.Background(), temporary, raced) })
	buildDemo = sync.OnceValues(func() (string, error) { return op.BuildDemo(context.Background(), temporary, raced) })
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if temporary, err = os.MkdirTemp("", "browser-"); err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(temporary)
	return m.Run()
}

func mustBuild(t *testing.T) (program string) {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func mustFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp(temporary, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// mustKeep writes a file of build output, which a person may look at.
func mustKeep(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	folder = filepath.Join("..", "..", "build", folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
