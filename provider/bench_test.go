//go:build unix

package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// The benchmarks call the provider's handler as the server does, on a real store, without a network between; only what is about the
// network has one. Beside time and allocations they report CPU (of all threads, the caller's included) and commits.

// meter counts what operations cost.
type meter struct {
	o       *op
	cpu     time.Duration
	commits uint64
}

func (m *meter) start() { m.cpu, m.commits = m.cpu-cpuTime(), m.commits-m.o.store.Commits() }
func (m *meter) stop()  { m.cpu, m.commits = m.cpu+cpuTime(), m.commits+m.o.store.Commits() }

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
func startQuiet(b *testing.B, configure func(*provider.Config)) *op {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	b.Cleanup(func() { slog.SetDefault(before) })
	return mustStart(b, configure)
}

// measure runs do b.N times from so many callers.
func measure(b *testing.B, o *op, callers int, do func(caller int)) {
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
	o      *op
	header http.Header
	body   bytes.Buffer
	status int
}

func (w *wire) Header() http.Header         { return w.header }
func (w *wire) WriteHeader(status int)      { w.status = status }
func (w *wire) Write(p []byte) (int, error) { return w.body.Write(p) }

// send sends a request and gives the answer's body, which is valid until the next.
func (w *wire) send(method, target, form string, header http.Header) []byte {
	w.o.t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		w.o.t.Error(err)
		return nil
	}
	r := &http.Request{Method: method, URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: "op.example",
		RemoteAddr: "192.0.2.7:4711", Body: http.NoBody, ContentLength: int64(len(form))}
	if form != "" {
		r.Body = io.NopCloser(strings.NewReader(form))
	}
	w.header, w.status = http.Header{}, http.StatusOK
	w.body.Reset()
	w.o.p.ServeHTTP(w, r)
	if w.status >= http.StatusBadRequest {
		w.o.t.Errorf("got %d %q from %s", w.status, w.body.Bytes(), target)
	}
	return w.body.Bytes()
}

// field cuts a text member out of a JSON object.
func field(body []byte, name string) string {
	_, rest, _ := bytes.Cut(body, []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// asClient is the header of an application's own server.
func asClient(id string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}, "Content-Type": {"application/x-www-form-urlencoded"}}
}

// header is that of a browser's navigation.
func (b *browser) header() http.Header {
	var cookies []string
	for name, value := range b.cookies {
		cookies = append(cookies, name+"="+value)
	}
	return http.Header{"Cookie": {strings.Join(cookies, "; ")}}
}

// flow is one single sign-on: authorize with a living session, code, tokens.
func (w *wire) flow(client string, cookies, basic http.Header) []byte {
	w.send(http.MethodGet, authorizeURL(client), "", cookies)
	_, rest, _ := strings.Cut(w.header.Get("Location"), "?code=")
	code, _, _ := strings.Cut(rest, "&")
	return w.send(http.MethodPost, "/token", "grant_type=authorization_code&code="+code+"&code_verifier="+verifier+"&redirect_uri=https%3A%2F%2F"+client+".example%2Fcb", basic)
}

// callers are browsers that are signed in, and what they call with.
func (o *op) callers(n int) (wires []*wire, cookies []http.Header) {
	for range n {
		b := o.browser()
		b.mustJoin("alice", "shop")
		wires, cookies = append(wires, &wire{o: o}), append(cookies, b.header())
	}
	return wires, cookies
}

// algorithms are those that clients may choose; Core's default first.
var algorithms = []string{"RS256", "ES256"}

func BenchmarkCodeFlow(b *testing.B) {
	for _, alg := range algorithms {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/parallel=%d", alg, callers), func(b *testing.B) {
				o := startQuiet(b, nil)
				o.mustAddClient("shop", func(m *storage.Metadata) { m.IDTokenSignedResponseAlg = alg })
				wires, cookies := o.callers(callers)
				basic := asClient("shop")
				measure(b, o, callers, func(i int) {
					if body := wires[i].flow("shop", cookies[i], basic); field(body, "id_token") == "" {
						b.Errorf("got %s, want an ID token", body)
					}
				})
			})
		}
	}
}

func BenchmarkRefresh(b *testing.B) {
	for _, alg := range algorithms {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/parallel=%d", alg, callers), func(b *testing.B) {
				o := startQuiet(b, nil)
				o.mustAddClient("shop", func(m *storage.Metadata) { m.IDTokenSignedResponseAlg = alg })
				wires, cookies := o.callers(callers)
				basic := asClient("shop")
				tokens := make([]string, callers)
				for i := range callers {
					tokens[i] = field(wires[i].flow("shop", cookies[i], basic), "refresh_token")
				}
				measure(b, o, callers, func(i int) {
					tokens[i] = field(wires[i].send(http.MethodPost, "/token", "grant_type=refresh_token&refresh_token="+tokens[i], basic), "refresh_token")
				})
			})
		}
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	for _, alg := range algorithms {
		for _, format := range []string{"jwt", "opaque"} {
			b.Run(alg+"/"+format, func(b *testing.B) {
				o := startQuiet(b, nil)
				o.mustAddClient("job", func(m *storage.Metadata) { m.IDTokenSignedResponseAlg, m.AccessTokenFormat = alg, format })
				basic := asClient("job")
				each(b, o, func(w *wire) { w.send(http.MethodPost, "/token", "grant_type=client_credentials", basic) })
			})
		}
	}
}

func BenchmarkIntrospection(b *testing.B) {
	for _, format := range []string{"opaque", "jwt"} {
		b.Run(format, func(b *testing.B) {
			o, token := oneToken(b, format)
			basic := asClient("shop")
			each(b, o, func(w *wire) {
				if body := w.send(http.MethodPost, "/introspect", "token="+token, basic); !bytes.HasPrefix(body, []byte(`{"active":true`)) {
					b.Errorf("got %s", body)
				}
			})
		})
	}
}

func BenchmarkUserInfo(b *testing.B) {
	for _, format := range []string{"opaque", "jwt"} {
		b.Run(format, func(b *testing.B) {
			o, token := oneToken(b, format)
			bearer := http.Header{"Authorization": {"Bearer " + token}}
			each(b, o, func(w *wire) { w.send(http.MethodGet, "/userinfo", "", bearer) })
		})
	}
}

// oneToken is a provider with one application, which holds an access token of that form.
func oneToken(b *testing.B, format string) (*op, string) {
	o := startQuiet(b, nil)
	o.mustAddClient("shop", func(m *storage.Metadata) { m.AccessTokenFormat = format })
	return o, o.browser().mustJoin("alice", "shop").AccessToken
}

// each runs what needs no state from 16 callers.
func each(b *testing.B, o *op, do func(*wire)) {
	wires := make([]*wire, 16)
	for i := range wires {
		wires[i] = &wire{o: o}
	}
	measure(b, o, len(wires), func(i int) { do(wires[i]) })
}

// BenchmarkEndSession signs out a session of so many applications. Time ends when the browser has its answer; what goes on behind it
// is waited for before the next, and counted in CPU and commits. One application never answers.
func BenchmarkEndSession(b *testing.B) {
	for _, members := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			out := &sink{told: make(chan struct{}, 4*members)}
			o := startQuiet(b, func(c *provider.Config) { c.Egress = out })
			no := false
			for i := range members {
				o.mustAddClient(fmt.Sprint("rp", i), func(m *storage.Metadata) { m.TellLateJoin = &no })
			}
			o.mustAddClient("hanging", func(m *storage.Metadata) { m.BackchannelLogoutURI, m.TellLateJoin = hanging, &no })
			m, w := meter{o: o}, &wire{o: o}
			var took []time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				browser := o.browser()
				hint := browser.mustJoin("alice", "rp0").IDToken
				cookies := browser.header()
				for i := 1; i < members; i++ {
					w.flow(fmt.Sprint("rp", i), cookies, asClient(fmt.Sprint("rp", i)))
				}
				w.flow("hanging", cookies, asClient("hanging"))
				target := "/end_session?id_token_hint=" + hint
				time.Sleep(2 * time.Millisecond) // what setting up left to the collector and the disk
				m.start()
				b.StartTimer()
				begun := time.Now()
				body := w.send(http.MethodGet, target, "", cookies)
				took = append(took, time.Since(begun))
				b.StopTimer()
				for range members {
					<-out.told
				}
				m.stop()
				if !bytes.Contains(body, []byte(`id="signed-out"`)) {
					b.Fatalf("got %s, want the signed-out page", body)
				}
				b.StartTimer()
			}
			b.StopTimer()
			m.report(b, b.N)
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

const hanging = "https://hanging.example/backchannel"

// sink plays relying parties that answer at once, but for one.
type sink struct {
	outside
	told chan struct{}
}

func (s *sink) PostForm(ctx context.Context, uri string, _ url.Values) (egress.Answer, error) {
	if uri == hanging {
		<-ctx.Done()
		return egress.Answer{}, ctx.Err()
	}
	s.told <- struct{}{}
	return egress.Answer{Status: http.StatusOK}, nil
}

// BenchmarkDelivery ends as many sessions as there are iterations, each of three applications on hosts of their own, in one mass ending,
// until every logout token has been brought over the guarded client to servers on this machine. One operation is one session.
func BenchmarkDelivery(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg, func(b *testing.B) {
			var left atomic.Int64
			left.Store(3 * int64(b.N))
			told := make(chan struct{})
			client, err := egress.New(egress.Config{Allow: []string{"127.0.0.0/8"}})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(client.Close)
			o := startQuiet(b, func(c *provider.Config) { c.Egress = client })
			no := false
			for i := range 3 {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.FormValue("logout_token") == "" {
						b.Error("got no logout token")
					}
					if left.Add(-1) == 0 {
						close(told)
					}
				}))
				b.Cleanup(server.Close)
				o.mustAddClient(fmt.Sprint("rp", i), func(m *storage.Metadata) {
					m.BackchannelLogoutURI, m.TellLateJoin, m.IDTokenSignedResponseAlg = server.URL+"/backchannel", &no, alg
				})
			}
			o.signIn(b.N, "rp0", "rp1", "rp2")
			time.Sleep(2 * time.Millisecond) // a session of the ending's own millisecond begins after it
			m := meter{o: o}
			b.ReportAllocs()
			b.ResetTimer()
			m.start()
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/endings", strings.NewReader(`{"everyone":true}`))
			r.Header.Set("Content-Type", "application/json")
			if o.p.Admin().ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Fatalf("got %d %s", w.Code, w.Body)
			}
			<-told
			m.stop()
			b.StopTimer()
			m.report(b, b.N)
			b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "told/s")
		})
	}
}

// signIn begins n sessions, without the costly password, and joins those applications to each.
func (o *op) signIn(n int, clients ...string) {
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range 16 {
		all.Go(func() {
			w := &wire{o: o}
			for left.Add(-1) >= 0 {
				now, secret := time.Now(), keys.Random("")
				s := storage.Session{ID: storage.SessionID(keys.Random("")), Secret: storage.HashOf(secret), Subject: "sub-alice", AuthTime: now, Created: now,
					LastActive: now, Idle: 8 * time.Hour, Expires: now.Add(24 * time.Hour)}
				if err := o.store.CreateSession(context.Background(), s, storage.Event{At: now, Kind: "session.created", Subject: s.Subject}); err != nil {
					o.t.Error(err)
				}
				for _, id := range clients {
					w.flow(id, http.Header{"Cookie": {"__Host-curfew-session=" + secret}}, asClient(id))
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkReady compares what is served as ready bytes with a bare handler that writes the same, over 16 kept connections.
func BenchmarkReady(b *testing.B) {
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		o := startQuiet(b, nil)
		w := &wire{o: o}
		same := bytes.Clone(w.send(http.MethodGet, path, "", http.Header{}))
		bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(same)
		})
		b.Run(path[1:]+"/curfew", func(b *testing.B) { serve(b, o, o.p, path) })
		b.Run(path[1:]+"/bare", func(b *testing.B) { serve(b, o, bare, path) })
	}
}

// serve gets a path over 16 connections. Answers of one handler are equally long, so the callers count bytes and parse nothing.
func serve(b *testing.B, o *op, h http.Handler, path string) {
	server := httptest.NewServer(h)
	defer server.Close()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: op.example\r\n\r\n")
	var connections []net.Conn
	var answers [][]byte
	for range 16 {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		connections, answers = append(connections, c), append(answers, make([]byte, answerLength(b, c, request)))
	}
	measure(b, o, len(connections), func(i int) {
		if _, err := connections[i].Write(request); err != nil {
			b.Error(err)
		}
		if _, err := io.ReadFull(connections[i], answers[i]); err != nil || !bytes.HasPrefix(answers[i], []byte("HTTP/1.1 200 OK\r\n")) {
			b.Errorf("got %q, %v", answers[i], err)
		}
	})
}

// answerLength sends the first request of a connection and counts the bytes of its answer.
func answerLength(b *testing.B, c net.Conn, request []byte) int {
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	var read bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(c, &read)), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
	return read.Len()
}
