package admin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/storage"
)

// pipeListener is a listener whose connections have no buffer: a write blocks until the other side reads.
type pipeListener chan net.Conn

func (p pipeListener) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipeListener) Close() error   { return nil }
func (p pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// mustServe serves the desk's API as `curfew serve` does, with the same bounds, and sends one GET. done is closed
// when the handler is through.
func (d *fixture) mustServe(target string) (conn net.Conn, done chan struct{}) {
	d.t.Helper()
	done = make(chan struct{})
	l := make(pipeListener, 1)
	server := &http.Server{
		ReadTimeout:  15 * time.Second,
		WriteTimeout: 30 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			d.api.ServeHTTP(w, r)
		}),
	}
	go server.Serve(l)
	conn, theirs := net.Pipe()
	l <- theirs
	d.t.Cleanup(func() { conn.Close(); close(l); server.Close() })
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n\r\n", target); err != nil {
		d.t.Fatal(err)
	}
	return conn, done
}

func (d *fixture) mustFillTrail(lines int) {
	d.t.Helper()
	events := make([]storage.Event, lines)
	for i := range events {
		events[i] = storage.Event{At: d.clock.Now(), Kind: "test", By: strings.Repeat("x", 200)}
	}
	if err := d.store.AppendEvents(d.t.Context(), events...); err != nil {
		d.t.Fatal(err)
	}
}

// An audit trail of years takes longer than any deadline for a page: a client that goes on reading gets all of it.
func TestAuditExportGoesOnAsLongAsItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustStart(t)
		d.mustFillTrail(3000)
		conn, _ := d.mustServe("/events/export")
		begin := time.Now()
		answer, err := http.ReadResponse(bufio.NewReader(slowReader{conn}), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if lines := strings.Count(string(body), "\n"); err != nil || lines < 3000 {
			t.Fatalf("%d lines after %v, then %v", lines, time.Since(begin), err)
		}
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("the test reads too fast to prove anything: %v", took)
		}
	})
}

// slowReader reads slowly.
type slowReader struct{ io.Reader }

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(time.Second / 4)
	return s.Reader.Read(p)
}

func TestStalledReaderIsDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustStart(t)
		d.mustFillTrail(3000)
		conn, done := d.mustServe("/events/export")
		if _, err := io.ReadFull(conn, make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the export waits for who does not read")
		}
	})
}

// doctor waits for every client that hangs; its answer must not be lost for that.
func TestLongExaminationIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustStart(t, func(c *admin.Config) { c.Egress = hangingClients{} })
		for i := range 60 {
			d.mustAddClient(fmt.Sprintf("slow%d", i), "")
		}
		begin := time.Now()
		conn, _ := d.mustServe("/doctor")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK ||
			strings.Count(string(body), `"error_class":"timeout"`) != 60 {
			t.Fatalf("got %d %s, %v", answer.StatusCode, body, err)
		}
	})
}

// hangingClients plays relying parties that take a connection and say nothing.
type hangingClients struct{}

func (hangingClients) Check(context.Context, string) error { return nil }

func (hangingClients) PostForm(ctx context.Context, _ string, _ url.Values) (egress.Response, error) {
	select {
	case <-time.After(5 * time.Second):
		return egress.Response{}, &egress.Error{Class: "timeout", Host: "slow.example"}
	case <-ctx.Done():
		return egress.Response{}, ctx.Err()
	}
}
