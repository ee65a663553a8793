package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// cloudMetadataAddrs are the addresses at which clouds give the credentials of the machine to every local caller. An
// allowed network does not allow these addresses. The list has no link-local addresses, because the policy denies all
// of them.
var cloudMetadataAddrs = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

// policy decides which addresses Curfew may call.
type policy struct {
	setting      string         // the name of the setting that allows addresses, for error texts
	networks     []netip.Prefix // allowed networks
	addrs        []target       // allowed single addresses
	names        []target       // allowed host names
	ownListeners []netip.AddrPort
	publicAddrs  *ssrf.Guardian // has the public addresses of IANA's registries
}

// target is an entry host[:port] of egress.allow. Port 0 means any port.
type target struct {
	host string // canonical name or address
	port uint16
}

func (t target) matches(host string, port uint16) bool {
	return t.host == host && t.matchesPort(port)
}

func (t target) matchesPort(port uint16) bool { return t.port == 0 || t.port == port }

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

// add adds an entry of egress.allow.
func (p *policy) add(entry string) error {
	if strings.Contains(entry, "/") {
		return p.addNetwork(entry)
	}
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		p.addrs = append(p.addrs, target{host: normalizeAddr(addr).String()})
		return nil
	}
	host, port, err := splitPort(entry)
	if err != nil {
		return err
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

func (p *policy) addNetwork(entry string) error {
	prefix, err := netip.ParsePrefix(entry)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return errors.New("neither a network such as 10.1.2.0/24 nor a host such as app.internal:8443 " +
			"(an entry has no scheme and no path)")
	case prefix != prefix.Masked():
		return fmt.Errorf("the network is written %s", prefix.Masked())
	case prefix.IsSingleIP():
		p.addrs = append(p.addrs, target{host: prefix.Addr().String()})
	default:
		p.networks = append(p.networks, prefix)
	}
	return nil
}

// splitPort splits host:port or [address]:port. Without a port it returns 0.
func splitPort(entry string) (host string, port uint16, err error) {
	host, digits, hasPort := strings.Cut(entry, ":")
	if !hasPort {
		return entry, 0, nil
	}
	if address, bracketed := strings.CutPrefix(entry, "["); bracketed {
		host, digits, _ = strings.Cut(address, "]:")
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is no port from 1 to 65535", digits)
	}
	return host, uint16(n), nil
}

// labelPattern matches one label of a host name, in lower case.
var labelPattern = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

// parseHostName checks a host name and returns its canonical spelling.
func parseHostName(s string) (string, error) {
	name := canonicalHost(s)
	for label := range strings.SplitSeq(name, ".") {
		if !labelPattern.MatchString(label) {
			return "", errors.New("not a host name (wildcards are not known; names beyond ASCII are written xn--…)")
		}
	}
	return name, nil
}

// canonicalHost returns the spelling of a host in which entries and URLs are compared.
func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// normalizeAddr returns an address without its zone. An IPv4 address in IPv6 form becomes IPv4.
func normalizeAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// listenerAddrs returns the addresses of a listener. The unspecified address stands for all addresses of the machine.
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

// check returns an error if addr must not be called. host is the name or address in the URL, in canonical spelling. The
// error is an *Error of class [Denied] and says what to add to egress.allow.
func (p *policy) check(host string, addr netip.AddrPort) error {
	ip := normalizeAddr(addr.Addr())
	port := addr.Port()
	if err := p.checkAddr(host, ip, port); err != nil {
		return err
	}
	// A NAT64 or 6to4 gateway forwards packets to the embedded IPv4 address, so that address must be allowed too.
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
	networkAllowed := slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
	nameAllowed := slices.ContainsFunc(p.names, func(t target) bool { return t.matches(host, port) })
	if networkAllowed || nameAllowed {
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

// mayAllowPort reports whether an entry could allow this port of the host. The addresses of the host are not known.
func (p *policy) mayAllowPort(host string, port uint16) bool {
	nameAllowed := slices.ContainsFunc(p.names, func(t target) bool { return t.matches(host, port) })
	someAddrAllowed := slices.ContainsFunc(p.addrs, func(t target) bool { return t.matchesPort(port) })
	return nameAllowed || someAddrAllowed || len(p.networks) > 0
}

// alwaysBlockedReason returns the kind of an address that only an entry for the single address allows. It returns ""
// for all other addresses.
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
		if listener.Port() != port {
			return false
		}
		if listener.Addr().IsUnspecified() {
			return isLocalAddr(ip)
		}
		return listener.Addr() == ip
	})
}

// isLocalAddr reports whether ip is an address of this machine. It reads the interfaces each time, because their
// addresses can change.
func isLocalAddr(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // it is not known, so treat the address as local
	}
	return slices.ContainsFunc(addrs, func(addr net.Addr) bool {
		prefix, err := netip.ParsePrefix(addr.String())
		return err == nil && normalizeAddr(prefix.Addr()) == ip
	})
}

// The IPv6 networks whose addresses embed an IPv4 address.
var (
	nat64      = ssrf.IPv6NAT64Prefix
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 §2.5.5.1
)

// embeddedIPv4 returns the IPv4 address that an IPv6 address embeds. ok is false if it embeds none.
func embeddedIPv4(ip netip.Addr) (ipv4 netip.Addr, ok bool) {
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

// suggestedNetwork returns the network with ip that an error suggests for egress.allow. It has the usual size of a
// subnet.
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
