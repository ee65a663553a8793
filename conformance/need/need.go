// Package need skips tests whose requirements, such as a program, are missing.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program that is in the Debian package of the same name. It skips the test if the
// program is missing.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" is not here: install Debian's "+name)
	}
	return path
}

// Missing skips a test with a reason. If CURFEW_REQUIRE_ALL is set, as in continuous integration, the test fails
// instead.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CURFEW_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
