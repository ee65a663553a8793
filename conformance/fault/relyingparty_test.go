package fault

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// clients are the relying parties of every session.
var clients = []string{"atlas", "birch", "cedar"}

// relyingParties take logout tokens, each at a path of its own.
type relyingParties struct {
	base   string
	mu     sync.Mutex
	tokens []logoutToken
	first  map[string]logoutToken                                           // by sid
	answer func(client string, w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

// logoutToken is one that a relying party accepted with 200.
type logoutToken struct {
	client, sid, sub, jti string
	at                    time.Time
}

func mustServeParties(t testing.TB) *relyingParties {
	t.Helper()
	return mustServePartiesAt(t, "127.0.0.1")
}

// mustServePartiesAt is mustServeParties at an address of this machine.
func mustServePartiesAt(t testing.TB, address string) *relyingParties {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &relyingParties{base: "http://" + listener.Addr().String(), first: map[string]logoutToken{}}
	server := &http.Server{Handler: p}
	go server.Serve(listener) // until Close
	t.Cleanup(func() { server.Close() })
	return p
}

func (p *relyingParties) url(client string) string { return p.base + "/backchannel/" + client }

// ServeHTTP takes a logout token. The signature is the browser tests' affair; here counts which session it names.
func (p *relyingParties) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := strings.TrimPrefix(r.URL.Path, "/backchannel/")
	p.mu.Lock()
	answer := p.answer
	p.mu.Unlock()
	if answer != nil && answer(client, w, r) {
		return
	}
	claims := claimsOf(r.FormValue("logout_token"))
	if claims.JTI == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	token := logoutToken{client, claims.SID, claims.Sub, claims.JTI, time.Now()}
	p.tokens = append(p.tokens, token)
	if _, found := p.first[token.sid]; !found {
		p.first[token.sid] = token
	}
}

func (p *relyingParties) setAnswer(answer func(client string, w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// received returns the accepted logout tokens.
func (p *relyingParties) received() []logoutToken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]logoutToken(nil), p.tokens...)
}

// forget drops the logout tokens that were accepted so far.
func (p *relyingParties) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = nil
	p.first = map[string]logoutToken{}
}

// reached counts the client sessions that got a logout token.
func (p *relyingParties) reached() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.first)
}

// of returns the first logout token of a client's session.
func (p *relyingParties) of(sid string) (token logoutToken, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token, found = p.first[sid]
	return token, found
}

// bySID counts the accepted logout tokens of each client's session.
func (p *relyingParties) bySID() map[string]int {
	count := map[string]int{}
	for _, token := range p.received() {
		count[token.sid]++
	}
	return count
}
