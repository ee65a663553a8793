//go:build linux

package fault

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mustBuildWithoutSyncing builds the server with a copy of bbolt that does not sync.
func mustBuildWithoutSyncing(t testing.TB) string {
	t.Helper()
	const library = "go.etcd.io/bbolt"
	folder := filepath.Join(buildFolder, "bbolt")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", library).Output()
	if err == nil {
		err = os.CopyFS(folder, os.DirFS(strings.TrimSpace(string(out))))
	}
	if err != nil {
		t.Fatal(err)
	}
	const body = "package bbolt\n\nfunc fdatasync(*DB) error { return nil }\n"
	sync := filepath.Join(folder, "bolt_linux.go")
	err = errors.Join(os.Remove(sync), os.WriteFile(sync, []byte(body), 0o600))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, readErr := os.ReadFile(filepath.Join("..", "..", name))
		if name == "go.mod" {
			text = append(text, "\nreplace "+library+" => "+folder+"\n"...)
		}
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(buildFolder, name), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return mustBuild(t, "-modfile", filepath.Join(buildFolder, "go.mod"))
}
