package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/cmd/curfew/config"
)

// mustOpen opens a server on free ports of this machine.
func mustOpen(t *testing.T, environ ...string) (*Server, *config.Config) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg, err := config.Load(
		"",
		append(
			[]string{
				fmt.Sprintf("CURFEW_ISSUER=http://localhost:%d", l.Addr().(*net.TCPAddr).Port),
				"CURFEW_DATA=" + filepath.Join(t.TempDir(), "data"),
			},
			environ...),
	)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, err := Open(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s, cfg
}

func TestStopIsAnnouncedThenDrained(t *testing.T) {
	s, cfg := mustOpen(t)
	s.options.ReadinessDelay = 2 * time.Second
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()

	// A request whose body is still under way when the signal comes.
	slow, err := net.Dial("tcp", cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(
		slow,
		"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\ngrant_",
	)
	if got := mustGet(t, cfg.Issuer+"/readyz"); got != http.StatusOK {
		t.Fatalf("got %d before the signal", got)
	}
	stop()
	for mustGet(t, cfg.Issuer+"/readyz") != http.StatusServiceUnavailable {
	}
	if got := mustGet(t, cfg.Issuer+"/healthz"); got != http.StatusOK {
		t.Errorf("got %d: it is not ready, but the process runs", got)
	}
	select {
	case err := <-done:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	io.WriteString(slow, "type")
	resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil {
		t.Fatalf("the request under way got no answer: %v", err)
	}
	resp.Body.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Everything is closed, so it can be opened again.
	second, err := Open(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func mustGet(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestFailedStartClosesWhatItOpened(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := filepath.Join(t.TempDir(), "data")
	environ := []string{
		"CURFEW_ISSUER=http://localhost:1",
		"CURFEW_DATA=" + data,
		"CURFEW_LISTEN=" + taken.Addr().String(),
	}
	cfg, err := config.Load("", environ)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the store must not be locked by the first
		if _, err := Open(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)}); err == nil ||
			!strings.Contains(err.Error(), "address already in use") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, cfg := mustOpen(t, "CURFEW_METRICS_LISTEN="+l.Addr().String())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	if got := mustGet(t, cfg.Issuer+"/metrics"); got != http.StatusNotFound {
		t.Errorf("got %d: the main listener shows no metrics", got)
	}
	resp, err := http.Get("http://" + cfg.Metrics.Listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), `curfew_http_requests_total{path="other",status="404"} 1`) {
		t.Errorf("got\n%s", body)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTLSIsServedFromFiles(t *testing.T) {
	cert, key := mustCertify(t, t.TempDir(), 7)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	cfg, err := config.Load(
		"",
		[]string{"CURFEW_ISSUER=https://localhost:8443", "CURFEW_DATA=" + filepath.Join(t.TempDir(), "data"),
			"CURFEW_LISTEN=" + l.Addr().String(), "CURFEW_TLS_CERT=" + cert, "CURFEW_TLS_KEY=" + key},
	)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	client := mustTrust(t, cert)
	resp, err := client.Get("https://localhost" + strings.TrimPrefix(cfg.Listen, "127.0.0.1") + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("got %d over HTTP/%d, want 200 over HTTP/2", resp.StatusCode, resp.ProtoMajor)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
