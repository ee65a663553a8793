package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddress is the browser's address: the peer's or, where that is a trusted proxy, the nearest hop of X-Forwarded-For that is none.
// A header that cannot be read counts for nothing.
func (s *Site) ClientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.isTrustedProxy(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr.String()
}

func (s *Site) isTrustedProxy(addr netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// UserAgent is the browser's name for itself, cut to what a record keeps.
func UserAgent(r *http.Request) string {
	ua := r.UserAgent()
	return strings.ToValidUTF8(ua[:min(len(ua), 512)], "")
}
