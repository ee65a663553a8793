package web_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/curfew-id/curfew/provider/web"
)

// FuzzForwardedFor: a header makes the browser's address something else than the peer's only if the peer is a trusted
// proxy, and then it is an address or, if the header cannot be read, none.
func FuzzForwardedFor(f *testing.F) {
	site := &web.Site{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
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
		address := from.Addr().Unmap().WithZone("")
		trusted := false
		for _, proxy := range site.TrustedProxies {
			trusted = trusted || proxy.Contains(address)
		}
		if !trusted && got != address.String() {
			t.Errorf("got %q for the peer %q, which is no proxy", got, peer)
		}
		if _, err := netip.ParseAddr(got); err != nil && got != "" {
			t.Errorf("got %q for the peer %q and %q", got, peer, header)
		}
	})
}
