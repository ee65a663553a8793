package egress

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func mustClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustBeClass(t *testing.T, err error, want Class) *Error {
	t.Helper()
	own, ok := errors.AsType[*Error](err)
	if !ok || own.Class != want {
		t.Fatalf("got error %v, want class %s", err, want)
	}
	return own
}

func TestTransportIsBoundedInEveryWay(t *testing.T) {
	c := mustClient(t, Config{})
	tr := c.http.Transport.(*http.Transport)
	if tr.Proxy != nil {
		t.Error("a proxy is used")
	}
	if tr.DialContext == nil || tr.DialTLSContext != nil {
		t.Error("the guarded dialer is not the only one")
	}
	if c.http.Jar != nil {
		t.Error("cookies are kept")
	}
	if got := c.http.CheckRedirect(nil, nil); got != http.ErrUseLastResponse {
		t.Errorf("redirects: got %v, want ErrUseLastResponse", got)
	}
	if tr.TLSClientConfig.MinVersion != tls.VersionTLS12 || tr.TLSClientConfig.InsecureSkipVerify {
		t.Error("TLS below 1.2 or unverified")
	}
	if !tr.DisableCompression {
		t.Error("compressed answers are unfolded")
	}
	if tr.Protocols.HTTP2() || tr.Protocols.UnencryptedHTTP2() || !tr.Protocols.HTTP1() {
		t.Error("not HTTP/1 only")
	}
	for _, d := range []struct {
		name      string
		got, want time.Duration
	}{
		{"attempt", c.http.Timeout, 5 * time.Second}, {"dial", dialTimeout, 2 * time.Second},
		{"TLS handshake", tr.TLSHandshakeTimeout, 2 * time.Second}, {"header", tr.ResponseHeaderTimeout, 3 * time.Second},
		{"idle", tr.IdleConnTimeout, 30 * time.Second},
	} {
		if d.got != d.want {
			t.Errorf("%s timeout: got %v, want %v", d.name, d.got, d.want)
		}
	}
	if tr.MaxResponseHeaderBytes != 16<<10 || tr.MaxConnsPerHost != 8 || tr.MaxIdleConnsPerHost != 4 {
		t.Errorf(
			"header %d, connections %d, idle %d a host: want 16384, 8, 4",
			tr.MaxResponseHeaderBytes,
			tr.MaxConnsPerHost,
			tr.MaxIdleConnsPerHost,
		)
	}
}

func TestPrivateAddressIsDeniedWithAdvice(t *testing.T) {
	var called atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer srv.Close()
	c := mustClient(t, Config{})
	_, err := c.PostForm(t.Context(), srv.URL, nil)
	own := mustBeClass(t, err, Denied)
	for _, want := range []string{"egress.allow", "127.0.0.0/8", strings.TrimPrefix(srv.URL, "http://")} {
		if !strings.Contains(own.Error(), want) {
			t.Errorf("error %q does not say %q", own, want)
		}
	}
	if called.Load() {
		t.Error("the server was called")
	}
}

func TestLocalhostNamesAreLoopbackWithoutDNS(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	noDNS := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a DNS server was asked")
		return nil, errors.New("no DNS here")
	}}
	target := "http://app.localhost:" + port + "/"
	for _, allow := range []string{"127.0.0.0/8", "app.localhost:" + port} {
		c := mustClient(t, Config{Allow: []string{allow}, Resolver: noDNS})
		if err := c.Check(t.Context(), target); err != nil {
			t.Errorf("allow %s: check: %v", allow, err)
		}
		answer, err := c.PostForm(t.Context(), target, nil)
		if err != nil || answer.Body != "app.localhost:"+port {
			t.Errorf("allow %s: got %q, %v", allow, answer.Body, err)
		}
	}
	c := mustClient(t, Config{Resolver: noDNS})
	_, err := c.PostForm(t.Context(), target, nil)
	mustBeClass(t, err, Denied)
	mustBeClass(t, c.Check(t.Context(), target), Denied)
}

func TestWrongCertificateIsTLSAndItsCAIsAccepted(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	_, err := mustClient(t, Config{Allow: []string{"127.0.0.1"}}).PostForm(t.Context(), srv.URL, nil)
	mustBeClass(t, err, TLS)

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	trusting := mustClient(t, Config{Allow: []string{"127.0.0.1", "wrong.localhost"}, CA: ca})
	if answer, err := trusting.PostForm(t.Context(), srv.URL, nil); err != nil || answer.Status != 200 {
		t.Errorf("with its CA: got %d, %v; want 200", answer.Status, err)
	}
	wrongName := strings.Replace(srv.URL, "127.0.0.1", "wrong.localhost", 1)
	_, err = trusting.PostForm(t.Context(), wrongName, nil)
	mustBeClass(t, err, TLS)
}

func TestPlainServerAndOldTLSAreTLSErrors(t *testing.T) {
	plain := httptest.NewUnstartedServer(http.NotFoundHandler())
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain.Start()
	defer plain.Close()
	c := mustClient(t, Config{Allow: []string{"127.0.0.1"}})
	_, err := c.PostForm(t.Context(), strings.Replace(plain.URL, "http:", "https:", 1), nil)
	mustBeClass(t, err, TLS)

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	_, err = c.PostForm(t.Context(), old.URL, nil)
	mustBeClass(t, err, TLS)
}

func TestPortWithoutListenerIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := mustClient(t, Config{Allow: []string{"127.0.0.0/8", "::1"}})
	_, err = c.PostForm(t.Context(), "http://"+l.Addr().String(), nil)
	mustBeClass(t, err, Refused)
}

func TestCallerWhoGivesUpIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	_, err := mustClient(t, Config{Allow: []string{"127.0.0.1"}}).PostForm(ctx, srv.URL, nil)
	mustBeClass(t, err, Canceled)
}

func TestOnlyPlainURLsAreCalled(t *testing.T) {
	c := mustClient(t, Config{Allow: []string{"0.0.0.0/0"}})
	for _, bad := range []string{
		"", "ftp://rp.example.com/", "file:///etc/passwd", "//rp.example.com/", "https://", "https:///x", "https://user@rp.example.com/", "https://u:p@rp.example.com/",
		"HTTPS://rp.example.com/", "https://rp.example.com/#", "https://rp.example.com/ x", "https://rp.example.com/%zz", "https://rp.example.com/\n", "https://[::1/",
		"https://rp.example.com/" + strings.Repeat("a", 2048),
	} {
		mustBeClass(t, ValidateURL(bad), Invalid)
		_, err := c.PostForm(t.Context(), bad, nil)
		mustBeClass(t, err, Invalid)
		mustBeClass(t, c.Check(t.Context(), bad), Invalid)
	}
	mustBeClass(t, ValidateURL("https://rp.example.com/#part"), Invalid)
	if err := ValidateURL("https://rp.example.com/back?x=%20y"); err != nil {
		t.Errorf("good URL: %v", err)
	}
}

func TestErrorDoesNotRepeatTheURL(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := mustClient(t, Config{Allow: []string{"127.0.0.1"}})
	_, err = c.PostForm(t.Context(), "http://"+l.Addr().String()+"/secret-path?key=secret", nil)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without path and query", err)
	}
}
