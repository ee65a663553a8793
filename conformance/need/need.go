// Package need says what a test cannot do without.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program is the path of a program that is in the Debian package of the same name.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" is not here: install Debian's "+name)
	}
	return path
}

// Missing skips a test and says why. Where everything is required, as in continuous integration, the test fails
// instead.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CURFEW_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
