package web_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/curfew-id/curfew/provider/web"
)

// FuzzForwardedFor: the browser's address is one that a trusted proxy named, or the peer's; a header cannot make it anything else.
func FuzzForwardedFor(f *testing.F) {
	site := &web.Site{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	f.Add("192.0.2.1:1", "198.51.100.1")
	f.Add("10.0.0.1:1", "198.51.100.1, 10.0.0.2")
	f.Add("10.0.0.1:1", "198.51.100.1,, 10.0.0.2")
	f.Add("10.0.0.1:1", "::ffff:10.0.0.3, fe80::1%eth0")
	f.Add("[::1]:1", "unknown, \"[2001:db8::1]:4711\"")
	f.Add("@", "10.0.0.1")
	f.Fuzz(func(t *testing.T, peer, header string) {
		got := site.ClientAddress(&http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}})
		from, err := netip.ParseAddrPort(peer)
		if err != nil {
			if got != "" {
				t.Errorf("got %q for the peer %q", got, peer)
			}
			return
		}
		address, err := netip.ParseAddr(got)
		if err != nil {
			t.Fatalf("got %q for the peer %q and %q", got, peer, header)
		}
		trusted := false
		for _, proxy := range site.TrustedProxies {
			trusted = trusted || proxy.Contains(from.Addr().Unmap())
		}
		if !trusted && address != from.Addr().Unmap() {
			t.Errorf("got %q for the peer %q, which is no proxy", got, peer)
		}
	})
}
