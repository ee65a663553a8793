//go:build unix

package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// The benchmarks call the provider's handler as the server does, on a real store, without a network between; only
// what is about the network has one. Beside time and allocations they report CPU (of all threads, the caller's
// included) and commits.

// meter counts what operations cost.
type meter struct {
	o       *providertest.Fixture
	cpu     time.Duration
	commits uint64
}

func (m *meter) start() { m.cpu, m.commits = m.cpu-cpuTime(), m.commits-m.o.Store.Commits() }

func (m *meter) stop() { m.cpu, m.commits = m.cpu+cpuTime(), m.commits+m.o.Store.Commits() }

func (m *meter) report(b *testing.B, ops int) {
	b.ReportMetric(float64(m.cpu.Microseconds())/1000/float64(ops), "cpu-ms/op")
	b.ReportMetric(float64(m.commits)/float64(ops), "commits/op")
}

// cpuTime is what this process has used of all processors, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startQuiet starts a provider whose library does not log its routes between the results.
func startQuiet(b *testing.B, configure func(*provider.Config)) *providertest.Fixture {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	b.Cleanup(func() { slog.SetDefault(before) })
	return providertest.MustStart(b, configure)
}

// measure runs do b.N times from so many callers.
func measure(b *testing.B, o *providertest.Fixture, callers int, do func(caller int)) {
	b.Helper()
	b.ReportAllocs()
	m := meter{o: o}
	var n atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	m.start()
	for caller := range callers {
		all.Go(func() {
			for n.Add(1) <= int64(b.N) && !b.Failed() {
				do(caller)
			}
		})
	}
	all.Wait()
	m.stop()
	b.StopTimer()
	m.report(b, b.N)
}

// wire writes and reads requests with as little work of its own as there can be.
type wire struct {
	o      *providertest.Fixture
	header http.Header
	body   bytes.Buffer
	status int
}

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) { w.status = status }

func (w *wire) Write(p []byte) (int, error) { return w.body.Write(p) }

// send sends a request and gives the answer's body, which is valid until the next.
func (w *wire) send(method, target, form string, header http.Header) []byte {
	w.o.T.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		w.o.T.Error(err)
		return nil
	}
	r := &http.Request{
		Method:        method,
		URL:           u,
		RequestURI:    target,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Host:          "op.example",
		RemoteAddr:    "192.0.2.7:4711",
		Body:          http.NoBody,
		ContentLength: int64(len(form)),
	}
	if form != "" {
		r.Body = io.NopCloser(strings.NewReader(form))
	}
	w.header, w.status = http.Header{}, http.StatusOK
	w.body.Reset()
	w.o.Provider.ServeHTTP(w, r)
	if w.status >= http.StatusBadRequest {
		w.o.T.Errorf("got %d %q from %s", w.status, w.body.Bytes(), target)
	}
	return w.body.Bytes()
}

// field cuts a text member out of a JSON object.
func field(body []byte, name string) string {
	_, rest, _ := bytes.Cut(body, []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// asClient is the header of a client's own server.
func asClient(id string) http.Header {
	return http.Header{
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+providertest.Secret))},
		"Content-Type":  {"application/x-www-form-urlencoded"},
	}
}

// header is that of a browser's navigation.
func header(b *providertest.Browser) http.Header {
	var cookies []string
	for name, value := range b.Cookies {
		cookies = append(cookies, name+"="+value)
	}
	return http.Header{"Cookie": {strings.Join(cookies, "; ")}}
}

// flow is one single sign-on: authorize with an active session, code, tokens.
func (w *wire) flow(client string, cookies, basic http.Header) []byte {
	w.send(http.MethodGet, providertest.AuthorizeURL(client), "", cookies)
	_, rest, _ := strings.Cut(w.header.Get("Location"), "?code=")
	code, _, _ := strings.Cut(rest, "&")
	return w.send(
		http.MethodPost,
		"/token",
		"grant_type=authorization_code&code="+code+"&code_verifier="+providertest.Verifier+"&redirect_uri=https%3A%2F%2F"+client+".example%2Fcb",
		basic,
	)
}

// signedInCallers are browsers that are signed in, and what they call with.
func signedInCallers(o *providertest.Fixture, n int) (wires []*wire, cookies []http.Header) {
	for range n {
		b := o.Browser()
		b.MustJoin("alice", "shop")
		wires, cookies = append(wires, &wire{o: o}), append(cookies, header(b))
	}
	return wires, cookies
}

// oneToken is a provider with one client, which holds an access token of that form.
func oneToken(b *testing.B, format string) (*providertest.Fixture, string) {
	o := startQuiet(b, nil)
	o.MustAddClient("shop", func(m *storage.Metadata) { m.AccessTokenFormat = format })
	return o, o.Browser().MustJoin("alice", "shop").AccessToken
}

// each runs what needs no state from 16 callers.
func each(b *testing.B, o *providertest.Fixture, do func(*wire)) {
	wires := make([]*wire, 16)
	for i := range wires {
		wires[i] = &wire{o: o}
	}
	measure(b, o, len(wires), func(i int) { do(wires[i]) })
}

const hanging = "https://hanging.example/backchannel"

// sink plays relying parties that answer at once, but for one.
type sink struct {
	providertest.Clients
	notified chan struct{}
}

func (s *sink) PostForm(ctx context.Context, uri string, _ url.Values) (egress.Response, error) {
	if uri == hanging {
		<-ctx.Done()
		return egress.Response{}, ctx.Err()
	}
	s.notified <- struct{}{}
	return egress.Response{Status: http.StatusOK}, nil
}

// signIn begins n sessions, without the costly password, and joins those clients to each.
func signIn(o *providertest.Fixture, n int, clients ...string) {
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range 16 {
		all.Go(func() {
			w := &wire{o: o}
			for left.Add(-1) >= 0 {
				now, secret := time.Now(), keys.Random()
				s := storage.Session{
					ID:          storage.SessionID(keys.Random()),
					SecretHash:  storage.HashOf(secret),
					Subject:     "sub-alice",
					AuthTime:    now,
					Created:     now,
					LastActive:  now,
					IdleTimeout: 8 * time.Hour,
					Expires:     now.Add(24 * time.Hour),
				}
				if err := o.Store.CreateSession(context.Background(), s, storage.Event{
					At:      now,
					Kind:    "session.created",
					Subject: s.Subject,
				}); err != nil {
					o.T.Error(err)
				}
				for _, id := range clients {
					w.flow(id, http.Header{"Cookie": {"__Host-curfew-session=" + secret}}, asClient(id))
				}
			}
		})
	}
	all.Wait()
}
