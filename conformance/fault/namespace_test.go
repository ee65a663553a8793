//go:build linux

package fault

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// namespace is a network namespace for one replica, with two cables to this one: the first carries requests, the other
// leads to the database and can be pulled.
type namespace struct {
	t      testing.TB
	name   string
	prefix string // the first three bytes of the addresses
}

// The ends of the two cables. In the namespace each address is one higher.
const (
	requestsHost = ".1"
	databaseHost = ".5"
)

// mustNamespace makes a namespace, as root; nil for other users.
func mustNamespace(t testing.TB) *namespace {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		return nil
	}
	id := strconv.Itoa(rand.IntN(1 << 16))
	n := &namespace{t: t, name: "fault" + id, prefix: fmt.Sprintf("10.%d.%d", 200+rand.IntN(50), rand.IntN(256))}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Logf("no network namespaces here: %s", out)
		return nil
	}
	t.Cleanup(func() { n.mustIP("netns", "del", n.name) })
	n.mustIP("-n", n.name, "link", "set", "lo", "up")
	for i, here := range []string{requestsHost, databaseHost} {
		outside, inside := n.cable(i), "in"+strconv.Itoa(i)
		n.mustIP("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", n.name)
		n.mustIP("addr", "add", n.prefix+here+"/30", "dev", outside)
		n.mustIP("link", "set", outside, "up")
		there := strings.NewReplacer(".1", ".2", ".5", ".6").Replace(here)
		n.mustIP("-n", n.name, "addr", "add", n.prefix+there+"/30", "dev", inside)
		n.mustIP("-n", n.name, "link", "set", inside, "up")
	}
	return n
}

// cable returns the name of the outer end of a cable: 0 for requests, 1 for the database.
func (n *namespace) cable(i int) string { return fmt.Sprintf("%s-%d", n.name, i) }

func (n *namespace) mustIP(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// address is that of a program in the namespace, for requests.
func (n *namespace) address() string { return n.prefix + ".2" }

// mustWrap returns a program that runs another one in the namespace, as the same process.
func (n *namespace) mustWrap(folder, program string) string {
	n.t.Helper()
	path := filepath.Join(folder, "in-namespace")
	text := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s %s \"$@\"\n", n.name, program)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		n.t.Fatal(err)
	}
	return path
}

// mustRelay carries connections to a port of the database's end to the same port of loopback.
func (n *namespace) mustRelay(port int) {
	n.t.Helper()
	listener := mustListen(n.t, net.JoinHostPort(n.prefix+databaseHost, strconv.Itoa(port)))
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}()
}

// relay carries one connection.
func relay(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client) // an error ends the connection, as it should
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// mustCut lets every packet to and from the database vanish, until mustHeal.
func (n *namespace) mustCut() { n.mustIP("link", "set", n.cable(1), "down") }

func (n *namespace) mustHeal() { n.mustIP("link", "set", n.cable(1), "up") }
