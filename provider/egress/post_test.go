package egress

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPostFormSendsTheFormAndNothingElse(t *testing.T) {
	var got *http.Request
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
		http.SetCookie(w, &http.Cookie{Name: "stay", Value: "no"})
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, strings.Repeat("x", 5000))
	}))
	defer srv.Close()
	c := mustClient(t, Config{Allow: []string{"127.0.0.0/8"}})
	for range 2 {
		answer, err := c.PostForm(t.Context(), srv.URL+"/logout", url.Values{"logout_token": {"a.b.c"}})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status != 503 || answer.RetryAfter != 7*time.Second || len(answer.Body) != 4096 {
			t.Errorf(
				"got status %d, retry after %v, %d bytes; want 503, 7s, 4096",
				answer.Status,
				answer.RetryAfter,
				len(answer.Body),
			)
		}
	}
	if got.Method != "POST" || body != "logout_token=a.b.c" ||
		got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("got %s %q as %q", got.Method, body, got.Header.Get("Content-Type"))
	}
	if got.Header.Get("Cookie") != "" || got.Header.Get("Authorization") != "" ||
		got.Header.Get("Accept-Encoding") != "" ||
		got.UserAgent() != "Curfew" {
		t.Errorf("unwanted headers: %v", got.Header)
	}
}

func TestRedirectIsAnAnswerAndNotFollowed(t *testing.T) {
	var followed atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer target.Close()
	srv := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	c := mustClient(t, Config{Allow: []string{"127.0.0.1"}})
	answer, err := c.PostForm(t.Context(), srv.URL, url.Values{"logout_token": {"x"}})
	if err != nil || answer.Status != 307 {
		t.Errorf("got %d, %v; want 307", answer.Status, err)
	}
	_, err = c.FetchBytes(t.Context(), srv.URL, 1000, 0)
	mustBeClass(t, err, Status)
	if followed.Load() {
		t.Error("the redirect was followed")
	}
}

// servePipe makes c talk to serve over an in-memory connection, so that a bubble's clock rules both sides. It returns a
// function that waits for the servers to see the connection end.
func servePipe(c *Client, serve func(net.Conn)) (wait func()) {
	var servers sync.WaitGroup
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		servers.Go(func() { serve(server) })
		return client, nil
	}
	return servers.Wait
}

func TestSlowAndHostileServersCostAtMostFiveSeconds(t *testing.T) {
	request := func(conn net.Conn) { http.ReadRequest(bufio.NewReader(conn)) }
	drip := func(conn net.Conn, text string) {
		defer conn.Close()
		for {
			for i := range len(text) {
				if _, err := conn.Write([]byte(text[i : i+1])); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}
	}
	tests := []struct {
		name  string
		serve func(net.Conn)
		want  Class // empty: an answer arrives
	}{
		{"never answers", func(conn net.Conn) { io.Copy(io.Discard, conn) }, Timeout},
		{
			"one header byte a second",
			func(conn net.Conn) { request(conn); drip(conn, "HTTP/1.1 200 OK\r\nX: yyyyyyyyyy\r\n") },
			Timeout,
		},
		{"endless header", func(conn net.Conn) {
			defer conn.Close()
			request(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(conn, "X-Pad: "+strings.Repeat("p", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, Broken},
		{"endless 1xx", func(conn net.Conn) {
			defer conn.Close()
			request(conn)
			for {
				if _, err := io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"); err != nil {
					return
				}
			}
		}, Broken},
		{
			"not HTTP",
			func(conn net.Conn) { request(conn); io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n"); conn.Close() },
			Broken,
		},
		{"closes at once", func(conn net.Conn) { conn.Close() }, Broken},
		{"body of one byte a second", func(conn net.Conn) {
			request(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			drip(conn, "z")
		}, ""},
		{"endless body", func(conn net.Conn) {
			defer conn.Close()
			request(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := conn.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mustClient(t, Config{})
				wait := servePipe(c, tt.serve)
				start := time.Now()
				answer, err := c.PostForm(t.Context(), "http://rp.example.com/", url.Values{"logout_token": {"x"}})
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v, want at most 5s", took)
				}
				if tt.want != "" {
					mustBeClass(t, err, tt.want)
				} else if err != nil || answer.Status != 200 || len(answer.Body) > 4096 {
					t.Errorf("got %d with %d bytes, %v; want 200", answer.Status, len(answer.Body), err)
				}
				c.Close()
				wait()
			})
		})
	}
}

func TestRetryAfterIsReadOrIgnored(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"0":                             0,
		"-5":                            0,
		"soon":                          0,
		"99999999999999":                24 * time.Hour,
		"1.5":                           0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:00:00 GMT": 0,
		"Fri, 02 Jan 2099 03:00:00 GMT": 24 * time.Hour,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After %q: got %v, want %v", value, got, want)
		}
	}
}
