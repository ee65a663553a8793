//go:build unix

package bolt

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// killedMigration names, in the environment of a child process, the file that it migrates and does not finish.
const killedMigration = "CURFEW_TEST_KILLED_MIGRATION"

// TestKilledMigrationGoesOnAtTheNextStart: a child process is killed between the copy of the store and the new schema
// version. The file has the old schema, nothing of the step, and a copy that can be opened; the next start goes on.
func TestKilledMigrationGoesOnAtTheNextStart(t *testing.T) {
	if path := os.Getenv(killedMigration); path != "" {
		kill := migration{title: "kill", run: func(b *bbolt.Tx) error {
			err := noteStep("second", nil).run(b)
			if err == nil {
				err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return err
		}}
		t.Fatalf("the migration has returned: %v", mustMigrate(t, path, noteStep("first", nil), kill))
	}
	path := mustMakeFile(t)
	child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), killedMigration+"="+path)
	out, err := child.CombinedOutput()
	status, ok := child.ProcessState.Sys().(syscall.WaitStatus)
	if err == nil || !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	if version, noted := mustReadSchema(t, path, "second"); version != 2 || noted {
		t.Errorf("after the kill: got schema %d, second step %v", version, noted)
	}
	if version, noted := mustReadSchema(t, path+".schema-2", "first"); version != 2 || !noted {
		t.Errorf("copy of schema 2: got schema %d, first step %v", version, noted)
	}
	must(t, mustMigrate(t, path, noteStep("first", os.ErrInvalid), noteStep("second", nil)))
	if version, noted := mustReadSchema(t, path, "second"); version != 3 || !noted {
		t.Errorf("after the next start: got schema %d, second step %v", version, noted)
	}
	if left, err := filepath.Glob(path + "*.partial"); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v left over", left, err)
	}
}
