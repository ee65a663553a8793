package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// cloudMetadataAddrs are the addresses, other than link-local ones, at which clouds give machine credentials to any
// caller on the machine. They stay blocked inside a network that an operator allows.
var cloudMetadataAddrs = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

// policy decides about one address. The zero policy allows port 443 of public addresses.
type policy struct {
	setting      string // names the setting of the entries
	networks     []netip.Prefix
	addrs        []target // addresses named one by one
	names        []target
	ownListeners []netip.AddrPort
	publicAddrs  *ssrf.Guardian // knows which addresses are public, from IANA's registries
}

// target is an entry host[:port]; port 0 means any.
type target struct {
	host string // canonical name or address
	port uint16
}

func (t target) matches(host string, port uint16) bool {
	return t.host == host && (t.port == 0 || t.port == port)
}

func newPolicy(allow, ownListeners []string, setting string) (policy, error) {
	p := policy{setting: setting, publicAddrs: ssrf.New(ssrf.WithAnyPort())}
	var errs []error
	for _, entry := range allow {
		if err := p.add(entry); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", setting, entry, err))
		}
	}
	for _, listener := range ownListeners {
		addrs, err := listenerAddrs(listener)
		if err != nil {
			errs = append(errs, fmt.Errorf("own listener %q: %w", listener, err))
		}
		p.ownListeners = append(p.ownListeners, addrs...)
	}
	return p, errors.Join(errs...)
}

func (p *policy) add(entry string) error {
	if strings.Contains(entry, "/") {
		prefix, err := netip.ParsePrefix(entry)
		switch {
		case err != nil || prefix.Addr().Is4In6():
			return errors.New(
				"neither a network such as 10.1.2.0/24 nor a host such as app.internal:8443 (an entry has no scheme and no path)",
			)
		case prefix != prefix.Masked():
			return fmt.Errorf("the network is written %s", prefix.Masked())
		case prefix.IsSingleIP():
			p.addrs = append(p.addrs, target{host: prefix.Addr().String()})
		default:
			p.networks = append(p.networks, prefix)
		}
		return nil
	}
	host, port := entry, uint16(0)
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		p.addrs = append(p.addrs, target{host: normalizeAddr(addr).String()})
		return nil
	}
	if hostPart, digits, found := strings.Cut(entry, ":"); found {
		if strings.HasPrefix(entry, "[") {
			hostPart, digits, _ = strings.Cut(strings.TrimPrefix(entry, "["), "]:")
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port from 1 to 65535", digits)
		}
		host, port = hostPart, uint16(n)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		p.addrs = append(p.addrs, target{normalizeAddr(addr).String(), port})
		return nil
	}
	name, err := parseHostName(host)
	if err != nil {
		return err
	}
	p.names = append(p.names, target{name, port})
	return nil
}

// parseHostName is the one spelling of a name that entries and URLs are compared in.
func parseHostName(s string) (string, error) {
	name := canonicalHost(s)
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", errors.New("not a host name (wildcards are not known; names beyond ASCII are written xn--…)")
		}
	}
	return name, nil
}

func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// normalizeAddr is an address without zone and without the IPv6 form of an IPv4 address.
func normalizeAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func listenerAddrs(listener string) ([]netip.AddrPort, error) {
	host, digits, err := net.SplitHostPort(listener)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is no port", digits)
	}
	switch canonicalHost(host) {
	case "":
		host = "::"
	case "localhost":
		return []netip.AddrPort{
			netip.AddrPortFrom(loopback4, uint16(port)),
			netip.AddrPortFrom(loopback6, uint16(port)),
		}, nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil, errors.New("not an address")
	}
	return []netip.AddrPort{netip.AddrPortFrom(normalizeAddr(addr), uint16(port))}, nil
}

// check says whether addr may be called for the name or address host, in canonical spelling. Its error is an *Error of
// class [Denied] that says what egress.allow would have to name.
func (p *policy) check(host string, addr netip.AddrPort) error {
	ip, port := normalizeAddr(addr.Addr()), addr.Port()
	if err := p.checkAddr(host, ip, port); err != nil {
		return err
	}
	// A translator hands the packet on to the IPv4 address inside, so that one has to be allowed too.
	if ipv4, ok := embeddedIPv4(ip); ok {
		return p.checkAddr(host, ipv4, port)
	}
	return nil
}

func (p *policy) checkAddr(host string, ip netip.Addr, port uint16) error {
	matchesAddr := func(t target) bool { return t.matches(ip.String(), port) }
	if slices.ContainsFunc(p.addrs, matchesAddr) {
		return nil
	}
	if reason := p.alwaysBlockedReason(ip, port); reason != "" {
		return newDenied(
			host,
			"%s is %s; only an entry for this single address, %q, opens it in %s",
			ip,
			reason,
			addrPort(ip, port),
			p.setting,
		)
	}
	if slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(ip) }) ||
		slices.ContainsFunc(p.names, func(t target) bool { return t.matches(host, port) }) {
		return nil
	}
	if p.publicAddrs.SafeAddr(ip) != nil {
		return newDenied(
			host,
			"%s is not a public address; add %q or %q to %s",
			ip,
			suggestedNetwork(ip),
			joinPort(host, port),
			p.setting,
		)
	}
	if port != 443 {
		return newDenied(host, "port %d is closed; add %q to %s", port, joinPort(host, port), p.setting)
	}
	return nil
}

// mayAllowPort reports whether an entry could allow a port of the host, whatever address the host has.
func (p *policy) mayAllowPort(host string, port uint16) bool {
	return len(p.networks) > 0 ||
		slices.ContainsFunc(p.names, func(t target) bool { return t.matches(host, port) }) ||
		slices.ContainsFunc(p.addrs, func(t target) bool { return t.port == 0 || t.port == port })
}

// alwaysBlockedReason names what ip is if a network in egress.allow does not open it; empty if the network does.
func (p *policy) alwaysBlockedReason(ip netip.Addr, port uint16) string {
	switch {
	case ip.IsUnspecified():
		return "the unspecified address"
	case ip.IsMulticast():
		return "a multicast address"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "the broadcast address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	case slices.Contains(cloudMetadataAddrs, ip):
		return "a metadata service"
	case p.isOwnListener(ip, port):
		return "one of Curfew's own listeners"
	}
	return ""
}

func (p *policy) isOwnListener(ip netip.Addr, port uint16) bool {
	return slices.ContainsFunc(p.ownListeners, func(listener netip.AddrPort) bool {
		return listener.Port() == port && (listener.Addr() == ip || listener.Addr().IsUnspecified() && isLocalAddr(ip))
	})
}

// isLocalAddr asks each time, because interfaces come and go; it is asked only about a port that we listen on.
func isLocalAddr(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // who cannot look, refuses
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && normalizeAddr(prefix.Addr()) == ip
	})
}

var (
	nat64      = ssrf.IPv6NAT64Prefix
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 §2.5.5.1
)

// embeddedIPv4 is the IPv4 address that an IPv6 address carries.
func embeddedIPv4(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() || ip.IsLoopback() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip), nat64Local.Contains(ip), compatible.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// suggestedNetwork is the network that advice names: small, and yet what operators mostly mean.
func suggestedNetwork(ip netip.Addr) string {
	bits := 64
	switch {
	case ip.Is4() && ip.IsLoopback():
		bits = 8
	case ip.IsLoopback():
		bits = 128
	case ip.Is4():
		bits = 24
	}
	prefix, _ := ip.Prefix(bits)
	return prefix.String()
}

func addrPort(ip netip.Addr, port uint16) string { return netip.AddrPortFrom(ip, port).String() }

func joinPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
