// Package deploy_test checks the deployment files and the release command.
package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func mustRead(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDeploymentFilesAreYAMLAndRunWithoutPrivileges(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files)+len(more) != 4 {
		t.Fatalf("got %v and %v, %v", files, more, err)
	}
	for _, file := range append(files, more...) {
		documents := yaml.NewDecoder(strings.NewReader(mustRead(t, file)))
		for {
			var document map[string]any
			err := documents.Decode(&document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	for file, wants := range map[string][]string{
		"Dockerfile":                  {"FROM scratch", "USER 65532:65532", "HEALTHCHECK", "-trimpath"},
		"compose.yaml":                {"read_only: true", "no-new-privileges:true"},
		"kubernetes/statefulset.yaml": {"replicas: 1", "readOnlyRootFilesystem: true", "runAsNonRoot: true", "fsGroup: 65532"},
	} {
		for _, want := range wants {
			if !strings.Contains(mustRead(t, file), want) {
				t.Errorf("%s lacks %s", file, want)
			}
		}
	}
}

func TestSystemdUnitIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: install Debian's systemd")
	}
	// The unit names a program that is not installed on this machine.
	unit := strings.ReplaceAll(mustRead(t, "curfew.service"), "/usr/local/bin/curfew", "/bin/true")
	file := filepath.Join(t.TempDir(), "curfew.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("got %v\n%s", err, out)
	}
}

// TestReleaseIsReproducible builds the release of one platform twice, from two clones in different folders.
func TestReleaseIsReproducible(t *testing.T) {
	if _, err := os.ReadFile("../.git/logs/HEAD"); err != nil { // read, so that the result is cached for this commit only
		t.Skip("this is no clone, so there is nothing to clone: .git/logs/HEAD is missing")
	}
	var builds [2][]byte
	for i := range builds {
		clone := filepath.Join(t.TempDir(), "clone")
		if out, err := exec.Command("git", "clone", "--quiet", "..", clone).CombinedOutput(); err != nil {
			t.Fatalf("git clone: %v\n%s", err, out)
		}
		command := exec.Command(filepath.Join(clone, "deploy", "release"), "linux/amd64")
		command.Env = append(os.Environ(), "NO_SBOM=1") // it would be fetched
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("release: %v\n%s", err, out)
		}
		sums, err := os.ReadFile(filepath.Join(clone, "dist", "SHA256SUMS"))
		if err != nil || !bytes.Contains(sums, []byte("curfew-linux-amd64")) {
			t.Fatalf("got checksums %q, %v", sums, err)
		}
		builds[i] = sums
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Errorf("got different bytes from the same commit:\n%s\n%s", builds[0], builds[1])
	}
}
