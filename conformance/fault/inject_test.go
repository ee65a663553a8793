package fault

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
)

// mustInject lets fdatasync fail or stall in the server, by strace, for that long.
func (w *world) mustInject(fault string, during time.Duration) {
	w.t.Helper()
	stop := w.mustBeginInjecting(fault)
	time.Sleep(during)
	stop()
}

// mustBeginInjecting is mustInject until stop is called or the server is killed. It returns when the fault is felt.
func (w *world) mustBeginInjecting(fault string) (stop func()) {
	w.t.Helper()
	command := exec.Command(
		need.Program(w.t, "strace"),
		"-f",
		"-q",
		"-o",
		filepath.Join(w.folder, "strace"),
		"-e",
		"trace=fdatasync",
		"-e",
		"inject=fdatasync:"+fault,
		"-p",
		strconv.Itoa(w.op.PID()),
	)
	var text strings.Builder
	command.Stderr = &text
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // a signal ends it, or the end of the server
		close(ended)
	}()
	for deadline := time.Now().Add(20 * time.Second); !w.traced(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-ended:
			need.Missing(w.t, "strace cannot trace another process here: "+text.String())
		default:
		}
		if time.Now().After(deadline) {
			w.t.Fatal("strace has not attached to the server after 20 s")
		}
	}
	return func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it has ended if the server has
		<-ended
	}
}

// traced reports whether a debugger is attached to all threads of the server.
func (w *world) traced() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", w.op.PID()))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil || bytes.Contains(status, []byte("TracerPid:\t0\n")) {
			return false
		}
	}
	return true
}
