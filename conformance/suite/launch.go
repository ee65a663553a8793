package suite

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Launcher starts an OP for each run, with new data, a free port and a new certificate.
type Launcher struct {
	Binary  string // the curfew binary
	Dir     string // for the configuration and the log of each OP
	Host    string // the OP's host name; it must resolve to 127.0.0.1, here and at the suite
	Suite   string // the suite's origin, which the OP may call
	SuiteCA string // PEM file that the OP trusts towards the suite; empty: the system's roots
}

// startTimeout is how long an OP may take to answer.
const startTimeout = 20 * time.Second

// Start starts an OP for a run and waits until it answers.
func (l *Launcher) Start(ctx context.Context, run Run) (Provider, error) {
	dir, err := filepath.Abs(filepath.Join(l.Dir, fileName(run)))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	roots, err := writeCertificate(dir, l.Host)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	data, err := makeDataFolder()
	if err != nil {
		return nil, err
	}
	op := &launchedOP{
		data: data,
		OP: OP{
			Binary: l.Binary,
			Config: filepath.Join(dir, "curfew.yaml"),
			Base:   "https://" + net.JoinHostPort(l.Host, port),
			HTTP: &http.Client{
				Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
				Timeout:   30 * time.Second,
			},
		},
		exit: make(chan error, 1),
	}
	if err := l.writeConfig(op, run, dir, port); err != nil {
		return nil, errors.Join(fmt.Errorf("write configuration: %w", err), os.RemoveAll(data))
	}
	if err := op.serve(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	if err := op.wait(ctx); err != nil {
		return nil, errors.Join(err, op.Close())
	}
	return op, nil
}

// makeDataFolder makes the folder of an OP's store and socket. It is not in Dir, because its path must be short: the
// path of a socket has at most 107 bytes (unix(7)), and the name of a run can have 80.
func makeDataFolder() (string, error) {
	folder, err := os.MkdirTemp("", "op-")
	if err == nil && len(folder) > maxDataFolder {
		if err = os.Remove(folder); err == nil {
			folder, err = os.MkdirTemp("/tmp", "op-")
		}
	}
	if err != nil {
		return "", fmt.Errorf("make a data folder: %w", err)
	}
	return folder, nil
}

// maxDataFolder is the longest path of a data folder, with room for the name of the socket.
const maxDataFolder = 107 - len("/admin.sock")

// writeConfig writes the configuration of an OP as JSON, which is YAML. It allows what the plans need and Curfew's
// defaults refuse: open registration, clients without PKCE, logos, and calls to the suite.
func (l *Launcher) writeConfig(op *launchedOP, run Run, dir, port string) error {
	suite, err := url.Parse(l.Suite)
	if err != nil {
		return fmt.Errorf("the suite's URL: %w", err)
	}
	suiteHost := []string{net.JoinHostPort(suite.Hostname(), cmp.Or(suite.Port(), "443"))}
	egress := map[string]any{"allow": suiteHost}
	if l.SuiteCA != "" {
		if egress["ca"], err = filepath.Abs(l.SuiteCA); err != nil {
			return err
		}
	}
	config := map[string]any{
		"issuer": op.Base,
		"data":   op.data,
		"listen": net.JoinHostPort("127.0.0.1", port),
		"tls":    map[string]any{"cert": filepath.Join(dir, "cert.pem"), "key": filepath.Join(dir, "key.pem")},
		"egress": egress,
		// The module oidcc-server-rotate-keys supports only RSA and EC keys.
		"keys": map[string]any{"algorithms": []string{"RS256", "ES256", "PS256"}},
		// The plans have the implicit and the hybrid flow.
		"token": map[string]any{"implicit": true},
		"registration": map[string]any{
			"mode":     "open",
			"logo":     true,
			"defaults": clientSettings(run),
			// The suite registers all its clients from one address, and they name documents at its own host.
			"egress_allow":       suiteHost,
			"per_day_network":    10_000,
			"fetches_per_minute": 10_000,
			// The plan for clients without authentication sends no PKCE either.
			"public_without_pkce": run.Variant["client_auth_type"] == "none",
		},
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(op.Config, text, 0o600)
}

// launchedOP is an OP that Launcher started.
type launchedOP struct {
	OP
	data    string // the data folder; Close removes it
	process *exec.Cmd
	exit    chan error
}

// serve starts the process, with its log in a file.
func (o *launchedOP) serve(dir string) error {
	log, err := os.Create(filepath.Join(dir, "curfew.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	o.process = exec.Command(o.Binary, "serve", "--config", o.Config)
	o.process.Stdout = log
	o.process.Stderr = log
	if err := o.process.Start(); err != nil {
		return fmt.Errorf("start %s: %w", o.Binary, err)
	}
	go func() { o.exit <- o.process.Wait() }()
	return nil
}

// wait waits until the discovery endpoint answers.
func (o *launchedOP) wait(ctx context.Context) error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-o.exit:
			o.exit <- err
			return fmt.Errorf("curfew ended at once (%v); its log is beside %s", err, o.Config)
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("curfew does not answer at %s; its log is beside %s", o.Base, o.Config)
		case <-poll.C:
			if _, err := o.Metadata(ctx); err == nil {
				return nil
			}
		}
	}
}

// Close stops the process, with SIGTERM first, and removes its data.
func (o *launchedOP) Close() error { return errors.Join(o.stop(), os.RemoveAll(o.data)) }

func (o *launchedOP) stop() error {
	if err := o.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop curfew: %w", err)
	}
	select {
	case <-o.exit:
		return nil
	case <-time.After(startTimeout):
	}
	return o.process.Process.Kill()
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// Roots returns the system's root certificates and, unless its name is empty, those of a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil || file == "" {
		return roots, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return roots, nil
}
