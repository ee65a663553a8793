package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/cmd/curfew/server"
	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
	"github.com/curfew-id/curfew/conformance/pgserver"
	"github.com/curfew-id/curfew/storage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"curfew": func() { os.Exit(Main()) },
	})
}

// TestCommands runs the transcripts of testdata/script: what a user types and reads. They have these commands in
// addition to those of testscript:
//
//	serve               starts `curfew serve` and waits until it serves
//	stop                sends it SIGTERM and waits until it is gone
//	crash               kills it
//	exits CODE ARG...   runs curfew, which has to exit with that code
//	signin NAME SECRET  signs a user in at the provider's pages
//	jwks FILE           fetches the provider's key set
//	forge IN OUT        changes the reason in a signed report
//	sessions N NAME     creates N sessions of a user in the store, while no process serves it
//	capture NAME REGEXP sets a variable to the text of the last stdout in the group of the expression
func TestCommands(t *testing.T) {
	testscript.Run(t, scriptParams(func(*testscript.Env) {}))
}

// TestCommandsOnPostgreSQL runs the transcripts that use the store most on a database.
func TestCommandsOnPostgreSQL(t *testing.T) {
	database, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrMissing) {
		need.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	var schemas atomic.Int32
	params := scriptParams(func(env *testscript.Env) {
		env.Setenv("CURFEW_STORE_URL", database.URL())
		env.Setenv("CURFEW_STORE_SCHEMA", "script_"+strconv.Itoa(int(schemas.Add(1))))
	})
	params.Dir = ""
	for _, name := range []string{"user", "client", "logout", "bulklogout"} {
		params.Files = append(params.Files, filepath.Join("testdata", "script", name+".txtar"))
	}
	for _, name := range []string{"copy", "replicas"} {
		params.Files = append(params.Files, filepath.Join("testdata", "postgres", name+".txtar"))
	}
	testscript.Run(t, params)
}

func scriptParams(setup func(*testscript.Env)) testscript.Params {
	return testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			env.Setenv("ISSUER", "http://localhost:"+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
			env.Setenv("CURFEW_LOG_FORMAT", "json")
			setup(env)
			env.Values[serversKey{}] = &servers{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":   serveScript,
			"stop":    stopScript,
			"crash":   crashScript,
			"jwks":    jwksScript,
			"forge":   forgeScript,
			"exits":   exitsScript,
			"signin":  signinScript,
			"capture": captureScript,

			"sessions": sessionsScript,
		},
	}
}

// servers are the servers of a transcript. stop and crash end the one that was started last.
type servers struct {
	running []*startedServer
}

// serversKey is the key of the servers in a transcript.
type serversKey struct{}

type startedServer struct {
	command *exec.Cmd
	log     sync.WaitGroup
}

// last removes the server that was started last from the list and returns it.
func (s *servers) last() *startedServer {
	started := s.running[len(s.running)-1]
	s.running = s.running[:len(s.running)-1]
	return started
}

func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	processes := ts.Value(serversKey{}).(*servers)
	s := &startedServer{command: scriptCommand(ts, append([]string{"serve"}, args...)...)}
	log, err := s.command.StderrPipe()
	ts.Check(err)
	ts.Check(s.command.Start())
	processes.running = append(processes.running, s)
	ts.Defer(func() {
		if slices.Contains(processes.running, s) {
			s.command.Process.Kill()
			s.log.Wait()
			s.command.Wait()
		}
	})
	serving := make(chan bool, 1)
	var lines strings.Builder
	s.log.Go(func() {
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			lines.WriteString(scanner.Text() + "\n")
			if strings.Contains(scanner.Text(), `"msg":"serving"`) {
				serving <- true
			}
		}
		close(serving)
	})
	if !<-serving {
		ts.Fatalf("it does not serve:\n%s", lines.String())
	}
}

func stopScript(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serversKey{}).(*servers).last()
	ts.Check(s.command.Process.Signal(os.Interrupt))
	s.log.Wait()
	ts.Check(s.command.Wait())
}

func crashScript(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serversKey{}).(*servers).last()
	ts.Check(s.command.Process.Kill())
	s.log.Wait()
	s.command.Wait() // which says that it was killed
}

func sessionsScript(ts *testscript.TestScript, neg bool, args []string) {
	ctx, now := context.Background(), time.Now()
	cfg, err := config.Load("", []string{
		"CURFEW_ISSUER=" + ts.Getenv("ISSUER"),
		"CURFEW_DATA=" + ts.MkAbs("data"),
		"CURFEW_STORE_URL=" + ts.Getenv("CURFEW_STORE_URL"),
		"CURFEW_STORE_SCHEMA=" + ts.Getenv("CURFEW_STORE_SCHEMA"),
	})
	ts.Check(err)
	store, err := server.OpenStore(ctx, cfg, slog.New(slog.DiscardHandler))
	ts.Check(err)
	defer store.Close()
	user, err := store.UserByLogin(ctx, args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var all errgroup.Group // together they share commits
	for range n {
		all.Go(func() error {
			id := rand.Text()
			return store.CreateSession(
				ctx,
				storage.Session{
					ID:          storage.SessionID(id),
					SecretHash:  storage.HashOf(id),
					Subject:     user.Subject,
					AuthTime:    now,
					Created:     now,
					LastActive:  now,
					IdleTimeout: time.Hour,
					Expires:     now.Add(time.Hour),
				},
				storage.Event{At: now, Kind: "session.created"},
			)
		})
	}
	ts.Check(all.Wait())
}

func jwksScript(ts *testscript.TestScript, neg bool, args []string) {
	browser, err := op.NewBrowser(http.DefaultTransport)
	ts.Check(err)
	keys, err := browser.Get(ts.Getenv("ISSUER") + "/jwks")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(keys.Body), 0o600))
}

func forgeScript(ts *testscript.TestScript, neg bool, args []string) {
	parts := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	ts.Check(err)
	parts[1] = base64.RawURLEncoding.EncodeToString(
		bytes.Replace(payload, []byte(`"reason":"administrator"`), []byte(`"reason":"idle_timeout"`), 1),
	)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(parts, ".")), 0o600))
}

func exitsScript(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("curfew", args[1:]...)
	got := 0
	if err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptCommand(ts *testscript.TestScript, args ...string) *exec.Cmd {
	self, err := os.Executable()
	ts.Check(err)
	command := exec.Command(self, args...)
	command.Args[0] = "curfew" // by which testscript.Main knows what to run
	command.Dir = ts.MkAbs(".")
	for _, name := range []string{
		"PATH",
		"HOME",
		"TMPDIR",
		"CURFEW_CONFIG",
		"CURFEW_ISSUER",
		"CURFEW_DATA",
		"CURFEW_LOG_FORMAT",
		"CURFEW_METRICS_LISTEN",
		"CURFEW_REGISTRATION_MODE",
		"CURFEW_STORE_URL",
		"CURFEW_STORE_SCHEMA",
		"CURFEW_LISTEN",
		"CURFEW_KEY_FILE",
		"CURFEW_BACKUP_SCHEDULE",
	} {
		if value := ts.Getenv(name); value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	return command
}

func captureScript(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("stdout does not match %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func signinScript(ts *testscript.TestScript, neg bool, args []string) {
	browser, err := op.NewBrowser(http.DefaultTransport)
	ts.Check(err)
	page, err := browser.SignIn(ts.Getenv("ISSUER")+"/account", args[0], args[1])
	ts.Check(err)
	if !strings.HasSuffix(page.URL.Path, "/account") {
		ts.Fatalf("not signed in, but at %s:\n%s", page.URL, page.Body)
	}
}
