package admin_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/admin"
)

// mustListen serves the API on a socket as a running provider does.
func mustListen(t *testing.T, d *fixture) *admin.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: d.api}
	done := make(chan struct{})
	go func() { server.Serve(l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return &admin.Client{Socket: path}
}

func TestClientWalksEveryPage(t *testing.T) {
	d := mustStart(t)
	c, ctx := mustListen(t, d), t.Context()
	for _, name := range []string{"ada", "bob", "eve"} {
		if _, err := c.AddUser(ctx, map[string]any{"preferred_username": name}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for u, err := range c.Users(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, u.Name)
	}
	if got := strings.Join(names, " "); got != "ada bob eve" {
		t.Errorf("got %q, want all three by name", got)
	}
	for range c.Users(ctx, "") {
		break // who stops early is not called again
	}
}

func TestClientReachesNamesOfAnyCharacters(t *testing.T) {
	d := mustStart(t)
	c, ctx := mustListen(t, d), t.Context()
	if _, err := c.AddUser(ctx, map[string]any{"preferred_username": "a/b?c=d#e %2F"}); err != nil {
		t.Fatal(err)
	}
	if u, err := c.User(ctx, "a/b?c=d#e %2F"); err != nil || u.Name != "a/b?c=d#e %2F" {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := c.AddClient(ctx, map[string]any{
		"client_id":     "https://app.example/",
		"redirect_uris": []string{"https://app.example/cb"},
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Client(ctx, "https://app.example/"); err != nil || got.ClientID != "https://app.example/" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestClientDistinguishesErrorsOfTheAPIFromAnAbsentServer(t *testing.T) {
	d := mustStart(t)
	c, ctx := mustListen(t, d), t.Context()
	_, err := c.User(ctx, "nobody")
	if answer, ok := errors.AsType[*admin.Error](err); !ok || answer.Status != http.StatusNotFound ||
		answer.Field != "user" {
		t.Errorf("got %v, want the API's error of status 404", err)
	}
	for range c.Users(ctx, "") {
		t.Error("got a user of nobody")
	}
	if _, err := (&admin.Client{Socket: filepath.Join(t.TempDir(), "none.sock")}).Status(ctx); !errors.Is(
		err,
		admin.ErrUnreachable,
	) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestClientReadsWhatIsNoJSON(t *testing.T) {
	d, _ := mustSignInManyUsers(t)
	c, ctx := mustListen(t, d), t.Context()
	result, err := c.Terminate(ctx, admin.TerminationRequest{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.SignedReport(ctx, result.Reports[0])
	if err != nil || strings.Count(token, ".") != 2 {
		t.Errorf("got %q, %v, want a JWT", token, err)
	}
	lines, err := c.ExportEvents(ctx, url.Values{"user": {"ada"}})
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	if body, err := io.ReadAll(lines); err != nil || strings.Count(string(body), "\n") < 4 {
		t.Errorf("got %q, %v, want the lines about ada", body, err)
	}
}
