package egress

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

// dial connects to address for the transport. The dialer checks each address with the policy after name resolution,
// immediately before it opens the connection.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host = canonicalHost(host)
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: c.resolver,
		Control: func(network, address string, _ syscall.RawConn) error {
			return c.checkDial(host, network, address)
		},
	}
	if !isLocalhost(host) {
		return d.DialContext(ctx, network, address)
	}
	// RFC 6761 §6.3: names under localhost are loopback addresses and are not resolved by DNS.
	conn4, err4 := d.DialContext(ctx, "tcp4", net.JoinHostPort(loopback4.String(), port))
	if err4 == nil {
		return conn4, nil
	}
	if classify(err4) != Refused {
		return nil, err4
	}
	conn6, err6 := d.DialContext(ctx, "tcp6", net.JoinHostPort(loopback6.String(), port))
	if err6 != nil {
		return nil, err4 // many hosts have no ::1, so the error of 127.0.0.1 says more
	}
	return conn6, nil
}

func (c *Client) checkDial(host, network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return newDenied(host, "%s is not TCP", network)
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return newDenied(host, "%q is no address", address)
	}
	return c.policy.check(host, addr)
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Check reports whether the policy allows target now. Its error says what to add to egress.allow. It serves
// registration and diagnosis only: the dialer checks each connection again, because the name may then resolve to
// another address.
func (c *Client) Check(ctx context.Context, target string) error {
	u, err := parseURL(target)
	if err != nil {
		return err
	}
	host := canonicalHost(u.Hostname())
	port, err := portOf(u, host)
	if err != nil {
		return err
	}
	addrs, err := c.lookup(ctx, host)
	if err != nil {
		return wrapError(host, err)
	}
	// The dialer tries one address after the other, so one allowed address is enough.
	var firstErr error
	for _, addr := range addrs {
		err := c.policy.check(host, netip.AddrPortFrom(addr, port))
		if err == nil {
			return nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return firstErr
}

// CheckURL reports whether the policy may allow target, without a DNS query. It checks an IP address as the dialer
// does. Of a name it checks only the port, because it does not know the addresses of the name.
func (c *Client) CheckURL(target string) error {
	u, err := parseURL(target)
	if err != nil {
		return err
	}
	host := canonicalHost(u.Hostname())
	port, err := portOf(u, host)
	if err != nil {
		return err
	}
	if isLocalhost(host) {
		return c.policy.check(host, netip.AddrPortFrom(loopback4, port))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return c.policy.check(host, netip.AddrPortFrom(addr, port))
	}
	if port == 443 || c.policy.mayAllowPort(host, port) {
		return nil
	}
	return newDenied(host, "port %d is closed; add %q to %s", port, joinPort(host, port), c.policy.setting)
}

// portOf returns the port of u, or the default port of its scheme. host is the host of u, for the error.
func portOf(u *url.URL, host string) (uint16, error) {
	switch {
	case u.Port() == "" && u.Scheme == "http":
		return 80, nil
	case u.Port() == "":
		return 443, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return 0, newDenied(host, "%q is no port", u.Port())
	}
	return uint16(n), nil
}

func (c *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if isLocalhost(host) {
		return []netip.Addr{loopback4, loopback6}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return c.resolver.LookupNetIP(ctx, "ip", host)
}
