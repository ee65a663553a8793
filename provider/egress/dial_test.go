package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// fakeResolver is a resolver whose server answers with what answer returns for the nth question about IPv4 addresses.
func fakeResolver(answer func(n int) []netip.Addr) *net.Resolver {
	questions := make(chan int, 1)
	questions <- 0
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				var length uint16
				if binary.Read(server, binary.BigEndian, &length) != nil {
					return
				}
				query := make([]byte, length)
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				end := 12 // RFC 1035 §4.1: the header; then the question: labels, type and class
				for query[end] != 0 {
					end += int(query[end]) + 1
				}
				end += 5
				var addrs []netip.Addr
				if query[end-3] == 1 { // type A
					n := <-questions
					addrs = answer(n)
					questions <- n + 1
				}
				reply := append([]byte{}, query[:end]...)
				reply[2], reply[3] = 0x81, 0x80
				binary.BigEndian.PutUint16(reply[6:], uint16(len(addrs)))
				binary.BigEndian.PutUint32(reply[8:], 0)
				for _, a := range addrs {
					reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					reply = append(reply, a.AsSlice()...)
				}
				server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			}()
			return client, nil
		},
	}
}

func mustServeAt(t *testing.T, address string) (port string, calls *int) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	calls = new(int)
	srv := &httptest.Server{
		Listener: l,
		Config:   &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { *calls++ })},
	}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, calls
}

var (
	allowedAddr = netip.MustParseAddr("127.0.0.2")
	insideAddr  = netip.MustParseAddr("127.0.0.1")
)

func TestNameThatRebindsToLoopbackIsDenied(t *testing.T) {
	port, calls := mustServeAt(t, "0.0.0.0:0")
	rebinding := fakeResolver(func(n int) []netip.Addr {
		if n < 2 { // Check, then the first call
			return []netip.Addr{allowedAddr}
		}
		return []netip.Addr{insideAddr}
	})
	c := mustClient(t, Config{Allow: []string{"127.0.0.2"}, Resolver: rebinding})
	target := "http://rebind.test:" + port + "/"
	if err := c.Check(t.Context(), target); err != nil {
		t.Fatalf("check while the address is allowed: %v", err)
	}
	if answer, err := c.PostForm(t.Context(), target, nil); err != nil || answer.Status != 200 {
		t.Fatalf("allowed address: got %d, %v; want 200", answer.Status, err)
	}
	c.Close()
	_, err := c.PostForm(t.Context(), target, nil)
	own := mustBeClass(t, err, Denied)
	if !strings.Contains(own.Advice, "127.0.0.1") {
		t.Errorf("advice %q does not name the address", own.Advice)
	}
	if *calls != 1 {
		t.Errorf("got %d calls, want 1", *calls)
	}
}

func TestOfSeveralAddressesOnlyAllowedOnesAreDialled(t *testing.T) {
	port, calls := mustServeAt(t, "127.0.0.2:0")
	c := mustClient(
		t,
		Config{
			Allow:    []string{"127.0.0.2"},
			Resolver: fakeResolver(func(int) []netip.Addr { return []netip.Addr{insideAddr, allowedAddr} }),
		},
	)
	target := "http://both.test:" + port + "/"
	if answer, err := c.PostForm(t.Context(), target, nil); err != nil || answer.Status != 200 || *calls != 1 {
		t.Errorf("got %d, %v, %d calls; want 200, 1 call", answer.Status, err, *calls)
	}
	if err := c.Check(t.Context(), target); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestNameWithoutAddressIsDNS(t *testing.T) {
	c := mustClient(t, Config{Resolver: fakeResolver(func(int) []netip.Addr { return nil })})
	_, err := c.PostForm(t.Context(), "https://nowhere.test/", nil)
	mustBeClass(t, err, DNS)
	mustBeClass(t, c.Check(t.Context(), "https://nowhere.test/"), DNS)
}

func TestSpellingsOfLoopbackAreDenied(t *testing.T) {
	inside := fakeResolver(func(int) []netip.Addr { return []netip.Addr{insideAddr} })
	c := mustClient(t, Config{Resolver: inside})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "localhost", "LOCALHOST", "localhost.", "app.localhost", "name-of-loopback.test",
	} {
		_, err := c.PostForm(t.Context(), "https://"+host+"/", nil)
		if own, ok := errors.AsType[*Error](err); !ok || own.Class != Denied && own.Class != DNS {
			t.Errorf("%s: got %v, want denied or without address", host, err)
		}
	}
}

func TestCheckAdvisesTheNetworkToAllow(t *testing.T) {
	c := mustClient(
		t,
		Config{Resolver: fakeResolver(func(int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.1.2.3")} })},
	)
	own := mustBeClass(t, c.Check(t.Context(), "https://app.internal/backchannel"), Denied)
	for _, want := range []string{"10.1.2.3", `"10.1.2.0/24"`, `"app.internal:443"`, "egress.allow"} {
		if !strings.Contains(own.Advice, want) {
			t.Errorf("advice %q does not say %s", own.Advice, want)
		}
	}
	own = mustBeClass(t, c.Check(t.Context(), "http://93.184.216.34/"), Denied)
	if !strings.Contains(own.Advice, `port 80 is closed; add "93.184.216.34:80"`) {
		t.Errorf("advice %q does not name the closed port", own.Advice)
	}
	for _, bad := range []string{"https://rp.example.com:0/", "https://rp.example.com:70000/"} {
		if err := c.Check(t.Context(), bad); err == nil {
			t.Errorf("%s: got no error", bad)
		}
	}
}
