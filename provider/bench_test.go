//go:build unix

package provider_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// algorithms are those that clients may choose; Core's default first.
var algorithms = []string{"RS256", "ES256"}

func BenchmarkCodeFlow(b *testing.B) {
	for _, alg := range algorithms {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/parallel=%d", alg, callers), func(b *testing.B) {
				o := startQuiet(b, nil)
				o.MustAddClient("shop", func(m *storage.Metadata) { m.IDTokenSignedResponseAlg = alg })
				wires, cookies := signedInCallers(o, callers)
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
				o.MustAddClient("shop", func(m *storage.Metadata) { m.IDTokenSignedResponseAlg = alg })
				wires, cookies := signedInCallers(o, callers)
				basic := asClient("shop")
				tokens := make([]string, callers)
				for i := range callers {
					tokens[i] = field(wires[i].flow("shop", cookies[i], basic), "refresh_token")
				}
				measure(b, o, callers, func(i int) {
					tokens[i] = field(
						wires[i].send(
							http.MethodPost,
							"/token",
							"grant_type=refresh_token&refresh_token="+tokens[i],
							basic,
						),
						"refresh_token",
					)
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
				o.MustAddClient(
					"job",
					func(m *storage.Metadata) { m.IDTokenSignedResponseAlg, m.AccessTokenFormat = alg, format },
				)
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
				if body := w.send(http.MethodPost, "/introspect", "token="+token, basic); !bytes.HasPrefix(
					body,
					[]byte(`{"active":true`),
				) {
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

// BenchmarkEndSession signs out a session of so many clients. Time ends when the browser has its answer; what goes on
// behind it is waited for before the next, and counted in CPU and commits. One client never answers.
func BenchmarkEndSession(b *testing.B) {
	for _, members := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			out := &sink{notified: make(chan struct{}, 4*members)}
			o := startQuiet(b, func(c *provider.Config) { c.Egress = out })
			no := false
			for i := range members {
				o.MustAddClient(fmt.Sprint("rp", i), func(m *storage.Metadata) { m.Renotify = &no })
			}
			o.MustAddClient("hanging", func(m *storage.Metadata) { m.BackchannelLogoutURI, m.Renotify = hanging, &no })
			m, w := meter{o: o}, &wire{o: o}
			var took []time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				browser := o.Browser()
				hint := browser.MustJoin("alice", "rp0").IDToken
				cookies := header(browser)
				for i := 1; i < members; i++ {
					w.flow(fmt.Sprint("rp", i), cookies, asClient(fmt.Sprint("rp", i)))
				}
				w.flow("hanging", cookies, asClient("hanging"))
				target := "/end_session?id_token_hint=" + hint
				time.Sleep(2 * time.Millisecond) // what setting up left to the collector and the disk
				m.start()
				b.StartTimer()
				begun := time.Now()
				w.send(http.MethodGet, target, "", cookies)
				body := w.send(http.MethodGet, w.header.Get("Location"), "", cookies)
				took = append(took, time.Since(begun))
				b.StopTimer()
				for range members {
					<-out.notified
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

// BenchmarkDelivery ends as many sessions as there are iterations, each of three clients on hosts of their own, in
// one bulk logout, until every logout token has been brought over the guarded client to servers on this oauth. One
// operation is one session.
func BenchmarkDelivery(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg, func(b *testing.B) {
			var left atomic.Int64
			left.Store(3 * int64(b.N))
			allNotified := make(chan struct{})
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
						close(allNotified)
					}
				}))
				b.Cleanup(server.Close)
				o.MustAddClient(fmt.Sprint("rp", i), func(m *storage.Metadata) {
					m.BackchannelLogoutURI, m.Renotify, m.IDTokenSignedResponseAlg = server.URL+"/backchannel", &no, alg
				})
			}
			signIn(o, b.N, "rp0", "rp1", "rp2")
			time.Sleep(2 * time.Millisecond) // a session of the ending's own millisecond begins after it
			m := meter{o: o}
			b.ReportAllocs()
			b.ResetTimer()
			m.start()
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/logouts", strings.NewReader(`{"all_users":true}`))
			r.Header.Set("Content-Type", "application/json")
			if o.Provider.Admin().ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Fatalf("got %d %s", w.Code, w.Body)
			}
			<-allNotified
			m.stop()
			b.StopTimer()
			m.report(b, b.N)
			b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "notified/s")
		})
	}
}

// BenchmarkReady compares what is served as ready bytes with a bare handler that writes the same, over 16 kept
// connections.
func BenchmarkReady(b *testing.B) {
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		o := startQuiet(b, nil)
		w := &wire{o: o}
		same := bytes.Clone(w.send(http.MethodGet, path, "", http.Header{}))
		bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(same)
		})
		b.Run(path[1:]+"/curfew", func(b *testing.B) { serve(b, o, o.Provider, path) })
		b.Run(path[1:]+"/bare", func(b *testing.B) { serve(b, o, bare, path) })
	}
}

// serve gets a path over 16 connections. Answers of one handler are equally long, so the callers count bytes and
// parse nothing.
func serve(b *testing.B, o *providertest.Fixture, h http.Handler, path string) {
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
		if _, err := io.ReadFull(connections[i], answers[i]); err != nil ||
			!bytes.HasPrefix(answers[i], []byte("HTTP/1.1 200 OK\r\n")) {
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
