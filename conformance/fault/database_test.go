package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/pgserver"
)

// mustStartDatabase starts a PostgreSQL server that syncs every commit, unlike those of other tests.
func mustStartDatabase(t testing.TB) *pgserver.Server {
	t.Helper()
	server, err := pgserver.Start("fsync=on", "full_page_writes=on")
	if errors.Is(err, pgserver.ErrMissing) {
		need.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// slack is how much longer than promised a request may take here: its two round trips and pages share two cores with
// the load.
const slack = 2 * time.Second

// network is a TCP proxy in front of a database. While it is stopped, it carries nothing, and holds what it has read.
type network struct {
	url  string // leads to the database through the proxy
	mu   sync.Mutex
	open chan struct{} // closed while the proxy carries
}

func mustServeNetwork(t testing.TB, database string) *network {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	target := address.Host
	listener := mustListen(t, "127.0.0.1:0")
	address.Host = listener.Addr().String()
	n := &network{url: address.String(), open: make(chan struct{})}
	close(n.open)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				defer server.Close()
				go n.carry(server, client)
				n.carry(client, server)
			}()
		}
	}()
	return n
}

// carry copies what it reads, and closes both ends when one is closed.
func (n *network) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		count, err := from.Read(buf)
		n.mu.Lock()
		open := n.open
		n.mu.Unlock()
		<-open
		if _, writeErr := to.Write(buf[:count]); err != nil || writeErr != nil {
			return
		}
	}
}

// stop lets nothing pass until the function that it returns is called.
func (n *network) stop() (resume func()) {
	open := make(chan struct{})
	n.mu.Lock()
	n.open = open
	n.mu.Unlock()
	return func() { close(open) }
}

// TestDatabaseFaultsLoseNothingAcknowledged: the records are in PostgreSQL. Under load the database crashes and
// recovers, or the network to it stops. What was acknowledged stands, no session that ended is accepted again, and each
// request is answered within five seconds.
func TestDatabaseFaultsLoseNothingAcknowledged(t *testing.T) {
	beside(t)
	t.Run("crash", func(t *testing.T) {
		database := mustStartDatabase(t)
		breakDatabase(t, "PostgreSQL crashes under load", rounds(2, 10), database.URL(), func(*world) {
			database.Kill()
			if err := database.Restart(); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("network", func(t *testing.T) {
		n := mustServeNetwork(t, mustStartDatabase(t).URL())
		breakDatabase(t, "PostgreSQL hangs under load", rounds(1, 5), n.url, func(w *world) {
			v := w.newVisitor()
			if v.signIn(w.users[0]) != accepted {
				t.Fatal("the user could not sign in")
			}
			resume := n.stop()
			v.mustSayThatTheOutcomeIsOpen()
			time.Sleep(3 * time.Second)
			resume()
			// What had no answer can be repeated.
			if v.refresh(clients[0]) != accepted || v.signOut() != accepted {
				t.Error("a refresh or a logout could not be repeated")
			}
		})
	})
}

// mustSayThatTheOutcomeIsOpen sends a refresh and a logout request that cannot be answered with success.
func (v *visitor) mustSayThatTheOutcomeIsOpen() {
	v.w.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.tokens[clients[0]].refresh}}
	status, body := v.w.post(clients[0], "/token", form)
	if status != http.StatusServiceUnavailable || !strings.Contains(string(body), "repeating it is safe") {
		v.w.t.Errorf("a refresh: got %d %s, want 503 that says that the outcome is open", status, body)
	}
	hint := url.Values{"id_token_hint": {v.tokens[clients[0]].id}}
	p, err := v.browser.Get(v.w.op.Issuer + "/end_session?" + hint.Encode())
	saysOpen := strings.Contains(p.Body, "You may still be signed in") || strings.Contains(p.Body, "not sure that worked")
	if err != nil || p.Status != http.StatusServiceUnavailable || !saysOpen {
		v.w.t.Errorf("a logout: got %v, %d %s, want 503 that says that the outcome is open", err, p.Status, p.Body)
	}
}

func breakDatabase(t *testing.T, name string, n int, url string, fault func(*world)) {
	w := mustStart(t, mustBuild(t), map[string]any{"store": map[string]any{"url": url}})
	var crowds []*crowd
	var recovery []time.Duration
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *crowd)
		go func() { done <- w.drive(ctx, 6) }()
		w.history.awaitAcknowledged(20 + rand.IntN(50))
		fault(w)
		recovery = append(recovery, w.mustRecover(20*time.Second))
		cancel()
		crowds = append(crowds, <-done)
		crowds[len(crowds)-1].look()
	}
	got := w.history.check()
	if !got.ok() {
		t.Errorf("got %v: %s", got, got.examples())
	}
	if w.history.unanswered() == 0 {
		t.Error("got an answer to every request: the fault was not felt, and the test proves nothing")
	}
	longest := w.history.longest()
	if longest > 5*time.Second+slack {
		t.Errorf("got an answer after %s, want %s at most", longest, 5*time.Second)
	}
	w.mustNotifyAll(crowds)
	slices.Sort(recovery)
	row(
		t,
		name,
		"%d rounds; %d sessions, %d requests acknowledged, %d left open; %v; longest answer %.1f s; works again after %d ms (median), %d ms (longest)",
		n,
		w.history.signedIn(),
		w.history.acknowledged(),
		w.history.unanswered(),
		got,
		longest.Seconds(),
		recovery[len(recovery)/2].Milliseconds(),
		recovery[len(recovery)-1].Milliseconds(),
	)
}
