// Package op runs a built curfew as an operator does: with a configuration file, a process and the command line. It
// does not import the provider's packages.
package op

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	mainPackage = "github.com/curfew-id/curfew/cmd/curfew"
	demoPackage = "github.com/curfew-id/curfew/cmd/curfew-demo"
)

// Build builds the program into a folder. With race it has the race detector. If a test calls it (and not a TestMain),
// go test runs the test again after a change of the program's sources.
func Build(ctx context.Context, folder string, race bool) (program string, err error) {
	return BuildWith(ctx, folder, raceFlag(race)...)
}

// BuildWith is Build with further flags of go build.
func BuildWith(ctx context.Context, folder string, flags ...string) (program string, err error) {
	return filepath.Join(folder, "curfew"), buildPackages(ctx, folder, flags, mainPackage)
}

// BuildDemo builds the demo and the program into a folder, as Build does.
func BuildDemo(ctx context.Context, folder string, race bool) (demo string, err error) {
	return filepath.Join(folder, "curfew-demo"), buildPackages(ctx, folder, raceFlag(race), mainPackage, demoPackage)
}

func raceFlag(race bool) []string {
	if race {
		return []string{"-race"}
	}
	return nil
}

func buildPackages(ctx context.Context, folder string, flags []string, packages ...string) error {
	args := slices.Concat([]string{"build", "-o", folder + string(filepath.Separator)}, flags, packages)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(packages, ", "), err, out)
	}
	return touchSources(ctx, packages)
}

// touchSources calls os.Stat on every source file of the packages, so that go test's cache depends on them: go test
// notes only the files that the test process itself opens, and the compiler is another process.
func touchSources(ctx context.Context, packages []string) error {
	const listTemplate = `{{with .Module}}{{if .Main}}{{$.Dir}}` +
		`{{range $.GoFiles}}|{{$.Dir}}/{{.}}{{end}}` +
		`{{range $.EmbedFiles}}|{{$.Dir}}/{{.}}{{end}}{{end}}{{end}}`
	args := append([]string{"list", "-deps", "-f", listTemplate}, packages...)
	list, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return fmt.Errorf("list the sources of %s: %w", strings.Join(packages, ", "), err)
	}
	for _, file := range strings.FieldsFunc(string(list), func(r rune) bool { return r == '|' || r == '\n' }) {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	return nil
}

// OP is a provider with its configuration, running or stopped.
type OP struct {
	Program string
	Config  string // the configuration file
	Issuer  string
	Env     []string // added to the environment of the server, as NAME=value
	Log     Log
	process *exec.Cmd
}

// Log is the output of the process to stderr.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns the log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// FreePort returns a port on loopback on which no process listens now.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// New writes the configuration of a provider at http://HOST:port into a folder. host must be a name of loopback.
// settings are further keys of the configuration. The folder's path must be short: that of a Unix socket has at most
// 107 bytes.
func New(program, folder, host string, settings map[string]any) (*OP, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	config := map[string]any{
		"issuer": "http://" + host + ":" + port,
		"listen": "127.0.0.1:" + port,
		"data":   filepath.Join(folder, "data"),
		"egress": map[string]any{"allow": []string{"127.0.0.0/8"}},
	}
	maps.Copy(config, settings)
	text, err := json.MarshalIndent(config, "", "  ") // JSON is YAML
	if err != nil {
		return nil, err
	}
	o := &OP{Program: program, Config: filepath.Join(folder, "curfew.yaml"), Issuer: "http://" + host + ":" + port}
	return o, os.WriteFile(o.Config, text, 0o600)
}

// Launch starts the server and does not wait until it is ready.
func (o *OP) Launch() error {
	o.process = exec.Command(o.Program, "serve", "--config", o.Config)
	o.process.Stderr = &o.Log
	o.process.Env = append(os.Environ(), o.Env...)
	return o.process.Start()
}

// Start starts the server and waits until it is ready.
func (o *OP) Start(ctx context.Context) error {
	if err := o.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := o.Run(ctx, "", "healthcheck"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server did not become ready: %w\n%s", ctx.Err(), o.Log.String())
		case <-tick.C:
		}
	}
}

// PID returns the id of the running process.
func (o *OP) PID() int { return o.process.Process.Pid }

// Running reports whether the process is running, ready or not.
func (o *OP) Running() bool {
	if o.process == nil {
		return false
	}
	var status syscall.WaitStatus
	id, err := syscall.Wait4(o.PID(), &status, syscall.WNOHANG, nil)
	return err == nil && id == 0
}

// Kill ends the process by SIGKILL, which it cannot handle.
func (o *OP) Kill() { o.terminate(syscall.SIGKILL) }

// Stop ends the process by SIGTERM, after which it stops in order.
func (o *OP) Stop() { o.terminate(syscall.SIGTERM) }

func (o *OP) terminate(signal syscall.Signal) {
	if o.process == nil {
		return
	}
	// An error means that the process has already ended.
	if err := o.process.Process.Signal(signal); err == nil {
		o.process.Wait()
	}
	o.process = nil
}

// Run runs a command of curfew and returns its output.
func (o *OP) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, o.Program, append(args, "--config", o.Config)...)
	command.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	command.Stdout = &out
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("curfew %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out.String(), nil
}

// AddUser adds a user.
func (o *OP) AddUser(ctx context.Context, name, password string) error {
	_, err := o.Run(ctx, password+"\n", "user", "add", name, "--email", name+"@example.org", "--password-stdin")
	return err
}

// AddClient adds a client with its metadata.
func (o *OP) AddClient(ctx context.Context, metadata map[string]any) error {
	text, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	_, err = o.Run(ctx, string(text), "client", "add", "--file", "-")
	return err
}
