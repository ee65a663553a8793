package fault

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// misbehaviour is how the host of a client answers a logout token. It has the connection to itself.
type misbehaviour struct {
	name  string
	serve func(c net.Conn)
}

// write answers with these bytes and closes.
func write(text string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		_, _ = c.Write([]byte(text)) // the server may have given up
		c.Close()
	}
}

// readRequest reads until the request's header is over.
func readRequest(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return
		}
	}
}

// forever writes the same bytes again and again, with a pause.
func forever(first, text string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		_, err := c.Write([]byte(first))
		for err == nil {
			_, err = c.Write([]byte(text))
			time.Sleep(pause)
		}
		c.Close()
	}
}

var misbehaviours = []misbehaviour{
	{"never answers", func(c net.Conn) { readRequest(c) }},
	{"never reads", func(net.Conn) {}},
	{"closes at once", func(c net.Conn) { c.Close() }},
	{"resets", func(c net.Conn) {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so that closing sends a reset
		}
		c.Close()
	}},
	{"one byte a second", forever("HTTP/1.1 200 OK\r\n", "X", time.Second)},
	{"endless header", forever("HTTP/1.1 200 OK\r\n", "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 0)},
	{
		"endless body",
		forever(
			"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n\r\n",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			0,
		),
	},
	{"endless 1xx", forever("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0)},
	{"garbage", write("\x16\x03\x01 this is no HTTP\r\n\r\n")},
	{
		"compressed body",
		write("HTTP/1.1 400 Bad Request\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"),
	},
	{
		"redirects to an internal address",
		write("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n"),
	},
	{"202", write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")},
	{"400", write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")},
	{"404", write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")},
	{"429 with seconds", write("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")},
	{
		"429 with a date",
		write(
			"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
		),
	},
	{
		"429 with nonsense",
		write("HTTP/1.1 429 Too Many Requests\r\nRetry-After: -99999999999999999999\r\nContent-Length: 0\r\n\r\n"),
	},
	{"500", write("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")},
	{"503", write("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")},
}

// mustMisbehave serves on a port of its own and returns the URL.
func mustMisbehave(t testing.TB, b misbehaviour) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	return "http://" + listener.Addr().String() + "/backchannel"
}

// TestBrokenAppsDoNotDelayOthers: beside every kind of broken host, the others get their logout tokens as promptly as
// without them, and the server's memory and files stay bounded. How promptly that is on this machine, a run without the
// broken hosts shows just before.
func TestBrokenAppsDoNotDelayOthers(t *testing.T) {
	w := mustStart(t, mustBuild(t, "-tags", "curfewfault"), nil)
	n := rounds(8, 100)
	_, alone := percentiles(w.mustNotifyEach(w.mustFillSessions(n)))
	var broken []string
	for i, b := range misbehaviours {
		id := fmt.Sprintf("broken%d", i)
		w.mustAddClient(id, mustMisbehave(t, b), nil)
		broken = append(broken, id)
	}
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + refusing.Addr().String() + "/backchannel"
	if err := refusing.Close(); err != nil {
		t.Fatal(err)
	}
	var secure atomic.Int64
	bad := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { secure.Add(1) }))
	bad.Config.ErrorLog = log.New(io.Discard, "", 0) // each refused handshake is a line
	bad.StartTLS()                                   // with httptest's certificate, which the server does not trust
	t.Cleanup(bad.Close)
	for id, url := range map[string]string{
		"closed":    closed,
		"untrusted": bad.URL + "/backchannel",
		"unknown":   "https://no-such-name.invalid/backchannel",
	} {
		w.mustAddClient(id, url, nil)
		broken = append(broken, id)
	}
	p50, p99 := percentiles(w.mustNotifyEach(w.mustFillSessions(n, broken...)))
	if most := 5*time.Second + 2*alone; p99 > most {
		t.Errorf("got 99 %% of the healthy clients notified within %s, want %s at most", p99, most)
	}
	if secure.Load() > 0 {
		t.Error("a host without a trusted certificate got a logout token")
	}
	_, peak := w.memory()
	files := w.files()
	if peak > 400 || files > 500 {
		t.Errorf("got %d MB and %d open files", peak, files)
	}
	row(
		t,
		fmt.Sprintf("%d broken hosts beside 3 healthy ones", len(broken)),
		"%d logouts; healthy clients notified after %d ms (median), %d ms (99 %%), without the broken hosts %d ms (99 %%); peak memory %d MB, %d open files",
		n,
		p50.Milliseconds(),
		p99.Milliseconds(),
		alone.Milliseconds(),
		peak,
		files,
	)
}

// mustNotifyEach signs each visitor out and returns how long after it each healthy client was notified.
func (w *world) mustNotifyEach(visitors []*visitor) (delays []time.Duration) {
	w.t.Helper()
	for _, v := range visitors {
		asked := time.Now()
		if v.signOut() != accepted {
			w.t.Fatal("got no signed-out page")
		}
		for _, client := range clients {
			for {
				token, found := w.parties.of(v.tokens[client].sid)
				if found {
					delays = append(delays, token.at.Sub(asked))
					break
				}
				if time.Since(asked) > 30*time.Second {
					w.t.Fatalf("%s is not notified after 30 s", client)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	return delays
}

// percentiles returns the median and the 99th percentile.
func percentiles(list []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(list)
	return list[len(list)/2], list[len(list)*99/100]
}
