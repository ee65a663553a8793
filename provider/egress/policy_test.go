package egress

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func mustPolicy(t *testing.T, allow, own []string) policy {
	t.Helper()
	p, err := newPolicy(allow, own, "egress.allow")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWithoutAllowOnlyPort443OfPublicAddressesIsReachable(t *testing.T) {
	p := mustPolicy(t, nil, nil)
	for _, open := range []string{"93.184.216.34:443", "[2606:2800:220:1::1]:443"} {
		if err := p.check("rp.example.com", netip.MustParseAddrPort(open)); err != nil {
			t.Errorf("%s: got %v, want allowed", open, err)
		}
	}
	for _, closed := range []string{
		"93.184.216.34:80", "93.184.216.34:5432", "[2606:2800:220:1::1]:80",
		"127.0.0.1:443", "127.9.9.9:443", "10.1.2.3:443", "172.16.0.1:443", "192.168.1.1:443", "100.64.0.1:443", "198.18.0.1:443",
		"0.0.0.0:443", "224.0.0.1:443", "255.255.255.255:443", "240.0.0.1:443", "192.0.2.1:443",
		"169.254.169.254:443", "169.254.170.2:443", "100.100.100.200:443", "168.63.129.16:443", "192.0.0.192:443",
		"[::]:443", "[::1]:443", "[fe80::1]:443", "[fe80::1%eth0]:443", "[fd00::1]:443", "[fd00:ec2::254]:443", "[ff02::1]:443",
		"[::ffff:127.0.0.1]:443", "[::ffff:10.0.0.1]:443", "[::127.0.0.1]:443", "[::ffff:169.254.169.254]:443",
		"[64:ff9b::7f00:1]:443", "[64:ff9b::5db8:d822]:443", "[64:ff9b:1::a00:1]:443", "[2002:7f00:1::]:443", "[2001::1]:443", "[2001:db8::1]:443",
		"[2000::1%eth0]:80", "[fec0::1]:443", "[100::1]:443",
	} {
		err := p.check("rp.example.com", netip.MustParseAddrPort(closed))
		if own, ok := errors.AsType[*Error](err); !ok || own.Class != Denied {
			t.Errorf("%s: got %v, want denied", closed, err)
		}
	}
}

func TestAllowOpensWhatItNamesAndNotItsNeighbour(t *testing.T) {
	tests := []struct {
		allow, host, addr string
		open              bool
	}{
		{"10.1.2.0/24", "rp.internal", "10.1.2.255:8443", true},
		{"10.1.2.0/24", "rp.internal", "10.1.2.1:80", true},
		{"10.1.2.0/24", "rp.internal", "[::ffff:10.1.2.1]:443", true},
		{"10.1.2.0/24", "rp.internal", "10.1.3.0:443", false},
		{"10.1.2.0/24", "rp.internal", "10.1.1.255:443", false},
		{"fd12:3456::/64", "rp.internal", "[fd12:3456::7]:443", true},
		{"fd12:3456::/64", "rp.internal", "[fd12:3456:0:1::7]:443", false},
		{"10.1.2.3", "rp.internal", "10.1.2.3:9000", true},
		{"10.1.2.3", "rp.internal", "10.1.2.4:443", false},
		{"10.1.2.3:9000", "rp.internal", "10.1.2.3:9000", true},
		{"10.1.2.3:9000", "rp.internal", "10.1.2.3:443", false},
		{"[fd12::1]:9000", "rp.internal", "[fd12::1]:9000", true},
		{"[fd12::1]", "rp.internal", "[fd12::1]:9000", true},
		{"fd12::1", "rp.internal", "[fd12::1]:9000", true},
		{"fd12::1", "rp.internal", "[fd12::2]:443", false},
		{"rp.internal", "rp.internal", "10.9.9.9:8080", true},
		{"RP.Internal.", "rp.internal", "10.9.9.9:8080", true},
		{"rp.internal", "other.internal", "10.9.9.9:443", false},
		{"rp.internal", "sub.rp.internal", "10.9.9.9:443", false},
		{"rp.internal:8443", "rp.internal", "10.9.9.9:8443", true},
		{"rp.internal:8443", "rp.internal", "10.9.9.9:443", false},
		{"rp.example.com:8443", "rp.example.com", "93.184.216.34:8443", true},
		{"64:ff9b::/96", "rp.example.com", "[64:ff9b::5db8:d822]:443", true},
		{"64:ff9b::/96", "rp.example.com", "[64:ff9b::7f00:1]:443", false},
		{"2002::/16", "rp.example.com", "[2002:a00:1::1]:443", false},
		{"127.0.0.0/8", "app.localhost", "127.0.0.1:9001", true},
		{"127.0.0.0/8", "app.localhost", "[::1]:9001", false},
		{"app.localhost:9001", "app.localhost", "[::1]:9001", true},
	}
	for _, tt := range tests {
		p := mustPolicy(t, []string{tt.allow}, nil)
		err := p.check(tt.host, netip.MustParseAddrPort(tt.addr))
		if (err == nil) != tt.open {
			t.Errorf("allow %s: %s at %s: got %v, want open %v", tt.allow, tt.host, tt.addr, err, tt.open)
		}
	}
}

func TestMetadataAndLinkLocalStayDeniedInsideAnAllowedNetwork(t *testing.T) {
	everything := []string{"0.0.0.0/0", "::/0", "rp.internal"}
	for _, addr := range []string{
		"169.254.169.254:80", "169.254.0.1:443", "100.100.100.200:80", "168.63.129.16:80", "192.0.0.192:80",
		"[fd00:ec2::254]:80", "[fd20:ce::254]:80", "[fe80::1%eth0]:80", "0.0.0.0:80", "[::]:80", "224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80",
		"[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80", "[2002:a9fe:a9fe::1]:80", "[::169.254.169.254]:80",
	} {
		p := mustPolicy(t, everything, nil)
		ap := netip.MustParseAddrPort(addr)
		if err := p.check("rp.internal", ap); err == nil {
			t.Errorf("%s: allowed inside an allowed network, want denied", addr)
		}
	}
	for _, single := range []string{"169.254.169.254", "169.254.169.254/32", "169.254.169.254:80"} {
		p := mustPolicy(t, append(everything, single), nil)
		if err := p.check("rp.internal", netip.MustParseAddrPort("169.254.169.254:80")); err != nil {
			t.Errorf("named as %s: got %v, want allowed", single, err)
		}
		if err := p.check("rp.internal", netip.MustParseAddrPort("169.254.169.253:80")); err == nil {
			t.Errorf("named as %s: its neighbour is allowed too", single)
		}
	}
}

func TestOwnListenersAreNeverCalled(t *testing.T) {
	tests := []struct {
		own, addr string
		open      bool
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", false},
		{"127.0.0.1:8080", "127.0.0.1:8081", true},
		{"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", false},
		{":8080", "127.0.0.1:8080", false},
		{"0.0.0.0:8080", "127.0.0.7:8080", false},
		{"[::]:8080", "[::1]:8080", false},
		{"[::]:8080", "10.200.201.202:8080", true},
		{"localhost:8080", "127.0.0.1:8080", false},
		{"localhost:8080", "[::1]:8080", false},
	}
	for _, tt := range tests {
		p := mustPolicy(t, []string{"0.0.0.0/0", "::/0"}, []string{tt.own})
		err := p.check("app.localhost", netip.MustParseAddrPort(tt.addr))
		if (err == nil) != tt.open {
			t.Errorf("listening on %s, calling %s: got %v, want open %v", tt.own, tt.addr, err, tt.open)
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	p := mustPolicy(t, []string{"0.0.0.0/0", "::/0"}, []string{":8080"})
	for _, a := range addrs {
		ip := netip.MustParsePrefix(a.String()).Addr()
		if err := p.check("self", netip.AddrPortFrom(ip, 8080)); err == nil {
			t.Errorf("our port at this machine's address %s: allowed, want denied", ip)
		}
	}
}

func TestEveryBadEntryIsNamed(t *testing.T) {
	bad := []string{
		"10.1.2.3/24",
		"10.1.2.0/33",
		"https://rp.example.com",
		"*.example.com",
		"rp.example.com:0",
		"rp.example.com:70000",
		"rp example",
		"münchen.example",
		"",
		"::ffff:10.0.0.0/104",
		"rp..example",
	}
	_, err := New(
		Config{
			Allow:        append([]string{"10.0.0.0/8"}, bad...),
			OwnListeners: []string{"nonsense", "db.internal:5432"},
			CA:           []byte("no certificate"),
		},
	)
	if err == nil {
		t.Fatal("got no error, want one")
	}
	for _, entry := range append(bad, "nonsense", "db.internal:5432", "egress.ca") {
		if !strings.Contains(err.Error(), entry) {
			t.Errorf("error does not name %q: %v", entry, err)
		}
	}
	if strings.Contains(err.Error(), `"10.0.0.0/8"`) {
		t.Errorf("error names a good entry: %v", err)
	}
	if !strings.Contains(err.Error(), "10.1.2.0/24") {
		t.Errorf("error does not say how 10.1.2.3/24 is written: %v", err)
	}
}
