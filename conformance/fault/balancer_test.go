//go:build linux

package fault

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancerTimeout is how long the balancer waits for a replica. A replica answers within five seconds, unless it is
// paused; what has no answer by then has an unknown outcome.
const balancerTimeout = 6 * time.Second

// skipFor is how long the balancer leaves out a replica that did not answer, as nginx does with fail_timeout. Without
// it, a sign-in of three requests in a row would always meet a replica that is paused.
const skipFor = 3 * time.Second

// balancer sends each request to the next replica that has not failed just before.
type balancer struct {
	url      string
	replicas []*url.URL
	next     atomic.Uint64
	failed   sync.Map     // host of a replica → when it failed
	pinned   atomic.Int64 // 1 + the replica that gets every request; 0: each in turn
}

// mustServeBalancer starts a balancer. Its replicas are added before the first request.
func mustServeBalancer(t testing.TB) *balancer {
	t.Helper()
	b := &balancer{}
	transport := &http.Transport{
		MaxIdleConnsPerHost:   64,
		ResponseHeaderTimeout: balancerTimeout,
		DisableCompression:    true,
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(b.choose())
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			b.failed.Store(r.URL.Host, time.Now())
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.url = "http://localhost:" + address.Port()
	return b
}

func (b *balancer) choose() *url.URL {
	if n := b.pinned.Load(); n > 0 {
		return b.replicas[n-1]
	}
	var replica *url.URL
	for range b.replicas {
		replica = b.replicas[b.next.Add(1)%uint64(len(b.replicas))]
		at, found := b.failed.Load(replica.Host)
		if !found || time.Since(at.(time.Time)) > skipFor {
			break
		}
	}
	return replica
}

// each calls do once for each replica, which gets every request meanwhile.
func (b *balancer) each(do func()) {
	for i := range b.replicas {
		b.pinned.Store(int64(i + 1))
		do()
	}
	b.pinned.Store(0)
}
