package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asCurfew makes this test binary stand in for the curfew binary.
const asCurfew = "CONFORMANCE_TEST_AS_CURFEW"

func TestMain(m *testing.M) {
	if os.Getenv(asCurfew) == "" {
		os.Exit(m.Run())
	}
	if err := curfew(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// curfew serves a discovery document, or notes a command beside its configuration.
func curfew(args []string) error {
	file := args[len(args)-1]
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config struct {
		Issuer, Listen string
		TLS            struct{ Cert, Key string }
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	if args[0] == "serve" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		server := &http.Server{
			Addr: config.Listen,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"issuer": %q}`, config.Issuer)
			}),
		}
		go func() { <-ctx.Done(); server.Close() }()
		err := server.ListenAndServeTLS(config.TLS.Cert, config.TLS.Key)
		if noted := note(file, "stopped\n"); noted != nil {
			return noted
		}
		return err
	}
	if args[1] == "fail" {
		return errors.New("no such thing")
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return note(file, strings.Join(args[:len(args)-2], " ")+" "+string(input)+"\n")
}

func note(config, line string) error {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(config), "notes"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line)
	return err
}

func mustStart(t *testing.T, dir string) Provider {
	t.Helper()
	t.Setenv(asCurfew, "1")
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	op, err := (&Launcher{Binary: binary, Dir: dir, Host: "localhost", Suite: "https://suite.test:8443"}).Start(
		t.Context(),
		Run{Plan: "run"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func TestLauncherServesFromAFreshDirectoryUntilClosed(t *testing.T) {
	dir := t.TempDir()
	op := mustStart(t, dir)
	metadata, err := op.Metadata(t.Context())
	if err != nil || metadata["issuer"] != op.Issuer() || !strings.HasPrefix(op.Issuer(), "https://localhost:") {
		t.Errorf("got metadata %v of %s, %v", metadata, op.Issuer(), err)
	}
	if err := op.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "run", "notes")); string(got) != "stopped\n" {
		t.Errorf("got %q, %v; want it stopped gently and waited for", got, err)
	}
}

// TestSocketPathIsShortWhateverTheFolderOfTheResults: a longer path than 107 bytes cannot be listened on (unix(7)).
func TestSocketPathIsShortWhateverTheFolderOfTheResults(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	op := mustStart(t, long).(*launchedOP)
	if socket := filepath.Join(op.data, "admin.sock"); len(socket) > 107 {
		t.Errorf("got a socket path of %d bytes: %s", len(socket), socket)
	}
	if err := op.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(op.data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want the data removed", err)
	}
}

func TestCommandsReachTheOPWithTheirInput(t *testing.T) {
	dir := t.TempDir()
	op := mustStart(t, dir)
	defer op.Close()
	p := User{Username: "ada", Password: "long enough"}
	if err := errors.Join(
		op.AddUser(t.Context(), p),
		op.AddClient(t.Context(), Client{"client_id": "c1"}),
		op.RotateKey(t.Context()),
	); err != nil {
		t.Fatal(err)
	}
	notes, err := os.ReadFile(filepath.Join(dir, "run", "notes"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(notes), "\n")
	for i, want := range []string{`user add ada --file - {`, `client add --file - {"client_id":"c1"}`, `key rotate `} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("got %q, want %q…", lines[i], want)
		}
	}
	if !strings.Contains(lines[0], `"password":"long enough"`) || !strings.Contains(lines[0], `"email_verified":true`) {
		t.Errorf("got user %q, want password and claims", lines[0])
	}
}

func TestCommandThatFailsSaysWhy(t *testing.T) {
	dir := t.TempDir()
	op := mustStart(t, dir).(*launchedOP)
	defer op.Close()
	if err := op.command(t.Context(), nil, "key", "fail"); err == nil ||
		!strings.Contains(err.Error(), "no such thing") {
		t.Errorf("got %v, want what the command said", err)
	}
}

func TestOPThatEndsAtOnceIsReported(t *testing.T) {
	_, err := (&Launcher{Binary: "false", Dir: t.TempDir(), Host: "localhost", Suite: "https://suite.test:8443"}).Start(
		t.Context(),
		Run{Plan: "run"},
	)
	if err == nil || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("got %v, want that it ended", err)
	}
}
