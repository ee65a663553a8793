package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// formats are the clients of the benchmarks: the algorithm and the form of access tokens.
var formats = []struct{ name, alg, format string }{
	{"ES256-opaque", keys.ES256, "opaque"},
	{"ES256-jwt", keys.ES256, "jwt"},
	{"RS256-opaque", keys.RS256, "opaque"},
}

// bench is a rig with one client, whose clock does not stand still.
func bench(b *testing.B, alg, format string) *rig {
	g := newRig(b, keys.RS256)
	g.server.Now = time.Now
	g.clock.Set(time.Now())
	g.mustClient("shop", func(c *storage.Client) { c.IDTokenSignedResponseAlg, c.AccessTokenFormat = alg, format })
	return g
}

// send is a request as the wire brings it; the answer's body comes back.
func send(b *testing.B, h http.Handler, v url.Values) string {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", url.QueryEscape(secret))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// commits reports how many fsyncs an operation costs.
func commits(b *testing.B, g *rig, before uint64) {
	b.ReportMetric(float64(g.store.Commits()-before)/float64(b.N), "commits/op")
}

func BenchmarkCodeExchange(b *testing.B) {
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			g := bench(b, f.alg, f.format)
			s := g.mustSession("alice")
			b.ReportAllocs()
			before := g.store.Commits()
			for b.Loop() {
				g.clock.Set(time.Now())
				code := g.mustCode(s, "shop", "openid profile", nil) // sealing is part of a code flow
				send(
					b,
					g.http.Token,
					form(
						"grant_type",
						"authorization_code",
						"code",
						code,
						"redirect_uri",
						callback,
						"code_verifier",
						verifier,
					),
				)
			}
			commits(b, g, before)
		})
	}
}

func BenchmarkRefresh(b *testing.B) {
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			g := bench(b, f.alg, f.format)
			_, a := g.mustTokens("shop", "openid profile")
			token := a.text("refresh_token")
			b.ReportAllocs()
			before := g.store.Commits()
			for b.Loop() {
				body := send(b, g.http.Token, form("grant_type", "refresh_token", "refresh_token", token))
				_, rest, _ := strings.Cut(body, `"refresh_token":"`)
				token, _, _ = strings.Cut(rest, `"`)
			}
			commits(b, g, before)
		})
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			g := bench(b, f.alg, f.format)
			b.ReportAllocs()
			before := g.store.Commits()
			for b.Loop() {
				send(b, g.http.Token, form("grant_type", "client_credentials"))
			}
			commits(b, g, before)
		})
	}
}

func BenchmarkIntrospection(b *testing.B) {
	for _, f := range formats[:2] {
		b.Run(f.name, func(b *testing.B) {
			g := bench(b, f.alg, f.format)
			_, a := g.mustTokens("shop", "openid profile")
			token := form("token", a.text("access_token"))
			b.ReportAllocs()
			before := g.store.Commits()
			for b.Loop() {
				send(b, g.http.Introspect, token)
			}
			commits(b, g, before)
		})
	}
}

func BenchmarkUserInfo(b *testing.B) {
	for _, f := range formats[:2] {
		b.Run(f.name, func(b *testing.B) {
			g := bench(b, f.alg, f.format)
			_, a := g.mustTokens("shop", "openid profile email")
			b.ReportAllocs()
			before := g.store.Commits()
			for b.Loop() {
				w := httptest.NewRecorder()
				g.http.UserInfo.ServeHTTP(w, bearerRequest(a.text("access_token")))
				if w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			commits(b, g, before)
		})
	}
}

func BenchmarkSealCode(b *testing.B) {
	g := bench(b, keys.ES256, "opaque")
	s := g.mustSession("alice")
	b.ReportAllocs()
	for b.Loop() {
		code := g.mustCode(s, "shop", "openid profile email", func(*tokens.Code) {})
		b.ReportMetric(float64(len(code)), "characters")
	}
}
