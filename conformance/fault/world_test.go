package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/op"
)

// full reports whether all rounds run (make faults) or the short form (make test).
func full() bool { return os.Getenv("CURFEW_FAULTS") == "full" }

// rounds is the number of rounds of a fault.
func rounds(short, long int) int {
	if full() {
		return long
	}
	return short
}

// beside lets a test run beside another one, since both wait most of the time: their rows are counts. make faults runs
// two at a time. Tests whose rows are speeds, memory or delays run alone, before all others.
func beside(t *testing.T) { t.Parallel() }

// world is a built server under a fault, its relying parties, and what the clients of both have seen.
type world struct {
	t       testing.TB
	op      *op.OP
	folder  string
	metrics string // the address of the metrics
	parties *relyingParties
	history *history
	client  *http.Transport // shared by all browsers and clients
	users   []string
}

// programs are the builds of the server, by their flags, made once.
var programs sync.Map

// mustBuild builds the server with these flags of go build.
func mustBuild(t testing.TB, flags ...string) string {
	t.Helper()
	build := sync.OnceValues(func() (string, error) {
		folder, err := os.MkdirTemp(buildFolder, "build")
		if err != nil {
			return "", err
		}
		return op.BuildWith(context.Background(), folder, flags...)
	})
	once, _ := programs.LoadOrStore(fmt.Sprint(flags), build)
	program, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// mustStart starts a server with users and three clients. settings are further keys of its configuration.
func mustStart(t testing.TB, program string, settings map[string]any) *world {
	t.Helper()
	w := mustPrepare(t, program, settings)
	w.mustLaunch()
	w.mustPopulate()
	return w
}

// mustPrepare sets a server up and does not start it.
func mustPrepare(t testing.TB, program string, settings map[string]any) *world {
	t.Helper()
	folder, err := os.MkdirTemp("", "fault") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	w := &world{
		t:       t,
		folder:  folder,
		history: newHistory(),
		parties: mustServeParties(t),
		client: &http.Transport{
			MaxIdleConnsPerHost:   64,
			DisableCompression:    true,
			ResponseHeaderTimeout: 30 * time.Second,
		},
	}
	t.Cleanup(w.client.CloseIdleConnections)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	w.metrics = "127.0.0.1:" + port
	all := map[string]any{
		"trusted_proxies": []string{"127.0.0.1/32"},
		"metrics":         map[string]any{"listen": w.metrics},
	}
	maps.Copy(all, settings)
	if w.op, err = op.New(program, folder, "localhost", all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.op.Kill()
		if t.Failed() {
			t.Logf("the last lines of the server's log:\n%s", tail(w.op.Log.String(), 4000))
		}
	})
	return w
}

// mustLaunch starts the server and returns how long it took until it was ready.
func (w *world) mustLaunch() time.Duration {
	w.t.Helper()
	start := time.Now()
	if err := w.op.Launch(); err != nil {
		w.t.Fatal(err)
	}
	for time.Since(start) < 60*time.Second {
		if response, err := w.http().Get(w.op.Issuer + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return time.Since(start)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	w.t.Fatalf("the server is not ready after %s\n%s", time.Since(start), tail(w.op.Log.String(), 4000))
	return 0
}

// mustPopulate adds the users and the clients.
func (w *world) mustPopulate() {
	w.t.Helper()
	for i := range rounds(10, 60) {
		w.mustAddUser(fmt.Sprintf("user%d", i))
	}
	for _, id := range clients {
		w.mustAddClient(id, w.parties.url(id), nil)
	}
}

func (w *world) mustAddUser(name string) {
	w.t.Helper()
	w.mustAdmin(
		http.MethodPost,
		"/users",
		map[string]any{"preferred_username": name, "email": name + "@example.org", "password": password},
	)
	w.users = append(w.users, name)
}

func (w *world) mustAddClient(id, backchannel string, more map[string]any) {
	w.t.Helper()
	metadata := map[string]any{
		"client_id":                           id,
		"client_secret":                       secret,
		"client_name":                         id,
		"redirect_uris":                       []string{callback},
		"grant_types":                         []string{"authorization_code", "refresh_token", "client_credentials"},
		"id_token_signed_response_alg":        "ES256",
		"consent":                             "skip",
		"backchannel_logout_uri":              backchannel,
		"backchannel_logout_session_required": true,
	}
	for name, value := range more {
		metadata[name] = value
	}
	w.mustAdmin(http.MethodPost, "/clients", metadata)
}

// http is a client without cookies that follows no redirect.
func (w *world) http() *http.Client {
	return &http.Client{
		Transport: w.client,
		Timeout:   60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// admin calls the administrators' API through the socket.
func (w *world) admin(method, path string, body any) ([]byte, error) {
	return adminAt(w.dataFolder(), 5*time.Minute, method, path, body)
}

// adminAt is admin for the server with this data folder. It waits at most for timeout.
func adminAt(folder string, timeout time.Duration, method, path string, body any) ([]byte, error) {
	socket := filepath.Join(folder, "admin.sock")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, "http://admin"+path, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: transport, Timeout: timeout}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: got %d %s", method, path, response.StatusCode, text)
	}
	return text, err
}

func (w *world) mustAdmin(method, path string, body any) []byte {
	w.t.Helper()
	text, err := w.admin(method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) dataFolder() string {
	w.t.Helper()
	return mustDataFolder(w.t, w.op)
}

// mustDataFolder returns the data folder of a server's configuration.
func mustDataFolder(t testing.TB, o *op.OP) string {
	t.Helper()
	var config struct {
		Data string `json:"data"`
	}
	text, err := os.ReadFile(o.Config)
	if err = errors.Join(err, json.Unmarshal(text, &config)); err != nil {
		t.Fatal(err)
	}
	return config.Data
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
