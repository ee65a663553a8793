package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ClientAddress returns the address of the browser or program that sent the request. That is the peer or, if the peer
// is a trusted proxy, the nearest hop that is not a trusted proxy. Proxies report hops in X-Forwarded-For or, without
// that header, in Forwarded (RFC 7239). ClientAddress returns "" if the report cannot be read. It does not fall back to
// the proxy's address, because then all users behind the proxy would have one attempt limit together.
func (s *Site) ClientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !s.isTrustedProxy(addr) {
		return addr.String()
	}
	addr, err = s.nearestUntrustedHop(addr, r.Header)
	if err != nil {
		s.warnUnreadableHop.Do(func() {
			s.Logger().LogAttrs(
				r.Context(),
				slog.LevelWarn,
				"a trusted proxy reports client addresses that cannot be read",
				slog.String("proxy", peer.Addr().String()),
				slog.Any("err", err),
			)
		})
		return ""
	}
	return addr.String()
}

// nearestUntrustedHop returns the nearest reported hop that is not a trusted proxy. If all hops are trusted proxies, it
// returns the farthest one. Without hops, it returns proxy.
func (s *Site) nearestUntrustedHop(proxy netip.Addr, header http.Header) (netip.Addr, error) {
	hops, err := forwardedHops(header)
	if err != nil {
		return netip.Addr{}, err
	}
	addr := proxy
	for _, hop := range slices.Backward(hops) {
		if addr, err = parseHop(hop); err != nil {
			return netip.Addr{}, err
		}
		if !s.isTrustedProxy(addr) {
			break
		}
	}
	return addr, nil
}

func (s *Site) isTrustedProxy(addr netip.Addr) bool {
	for _, network := range s.TrustedProxies {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedHops returns the hops that the proxies reported, the nearest last. It ignores empty list elements (RFC 9110
// §5.6.1). A header without any other element is an error: the proxy knows who asks, and its own address must not stand
// for all its users.
func forwardedHops(header http.Header) (hops []string, err error) {
	lines := header.Values("X-Forwarded-For")
	for hop := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if hop = strings.TrimSpace(hop); hop != "" {
			hops = append(hops, hop)
		}
	}
	if len(hops) > 0 {
		return hops, nil
	}
	standard := header.Values("Forwarded")
	hops, err = parseForwarded(strings.Join(standard, ","))
	if err == nil && len(hops) == 0 && len(lines)+len(standard) > 0 {
		return nil, errors.New("the header is empty")
	}
	return hops, err
}

// parseForwarded returns the for parameters of a Forwarded header (RFC 7239 §4).
func parseForwarded(text string) (hops []string, err error) {
	elements, err := splitUnquoted(text, ',')
	if err != nil {
		return nil, err
	}
	for _, element := range elements {
		if strings.TrimSpace(element) == "" {
			continue
		}
		pairs, _ := splitUnquoted(element, ';') // the quotes are balanced
		hop := ""
		for _, pair := range pairs {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = strings.TrimSpace(value)
			}
		}
		hops = append(hops, hop) // "" if the element has no for parameter; parseHop refuses it
	}
	return hops, nil
}

// splitUnquoted splits text at the separators outside of quoted strings. It returns an error for an unclosed quote.
func splitUnquoted(text string, separator byte) (parts []string, err error) {
	start := 0 // of the current part
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '\\' && quoted:
			i++ // a backslash escapes the next character
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	if quoted {
		return nil, errors.New("a quoted string does not end")
	}
	return append(parts, text[start:]), nil
}

// parseHop parses a hop: an IP address, optionally with brackets, quotes or a port. "unknown" and obfuscated names (RFC
// 7239 §6.2, §6.3) are errors.
func parseHop(text string) (netip.Addr, error) {
	hop := text
	if len(hop) >= 2 && hop[0] == '"' && hop[len(hop)-1] == '"' {
		hop = hop[1 : len(hop)-1]
	}
	host := hop
	hasBrackets := strings.HasPrefix(hop, "[") && strings.HasSuffix(hop, "]")
	address, port, hasPort := cutPort(hop)
	switch {
	case hasPort && isNodePort(port):
		host = address
	case hasBrackets:
		host = hop[1 : len(hop)-1]
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone(""), nil
	}
	const maxLogged = 64 // characters
	return netip.Addr{}, fmt.Errorf("%.*q is not an address", maxLogged, hop)
}

// cutPort splits 192.0.2.1:80 and [2001:db8::1]:80 into address and port. An IPv6 address without brackets has no port.
func cutPort(hop string) (address, port string, ok bool) {
	if rest, bracketed := strings.CutPrefix(hop, "["); bracketed {
		return strings.Cut(rest, "]:")
	}
	if strings.Count(hop, ":") != 1 {
		return "", "", false
	}
	return strings.Cut(hop, ":")
}

// isNodePort reports whether text is a port number, or an obfuscated port such as _p1 (RFC 7239 §6).
func isNodePort(text string) bool {
	if rest, obfuscated := strings.CutPrefix(text, "_"); obfuscated {
		return rest != ""
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// The prefix lengths of IPv6 networks that one subscriber gets.
const (
	subscriberPrefixLength = 64
	sitePrefixLength       = 48 // for large subscribers
)

// Networks returns the networks that attempt limits apply to for an attempt from address, the smallest first. For an
// IPv4 address it is the address alone. For an IPv6 address it is the /64 and the /48, because one subscriber can use
// all addresses in it. If address is not an IP address, Networks returns none.
func Networks(address string) []netip.Prefix {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
	}
	subscriber := netip.PrefixFrom(addr, subscriberPrefixLength).Masked()
	site := netip.PrefixFrom(addr, sitePrefixLength).Masked()
	return []netip.Prefix{subscriber, site}
}

// maxUserAgent is the maximum length of a recorded User-Agent, in bytes.
const maxUserAgent = 512

// UserAgent returns the request's User-Agent, cut to maxUserAgent.
func UserAgent(r *http.Request) string {
	ua := r.UserAgent()
	return strings.ToValidUTF8(ua[:min(len(ua), maxUserAgent)], "")
}
