package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// fixture_test.go has providers that are upstreams of each other, over real HTTP, and a browser that visits them.

// node is a provider with its server.
type node struct {
	*providertest.Fixture
	id       string
	issuer   string
	listener net.Listener

	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request) (handled bool) // sees each request first
}

// mustListen returns nodes whose issuers are known, and that are not started.
func mustListen(t testing.TB, ids ...string) []*node {
	t.Helper()
	var nodes []*node
	for _, id := range ids {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, &node{id: id, issuer: "http://" + listener.Addr().String(), listener: listener})
	}
	return nodes
}

// mustStart starts a node. configure changes the settings of its upstreams. By default their
// verified addresses are trusted, so that alice there is alice here, and other users are created.
func (n *node) mustStart(t testing.TB, upstreams []*node, configure func(*policy.Upstream)) {
	t.Helper()
	client, err := egress.New(egress.Config{Allow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	n.Fixture = providertest.MustStart(t, func(c *provider.Config) {
		c.Issuer, c.Egress, c.SelfRegisteredEgress = n.issuer, client, client
		for _, up := range upstreams {
			settings := policy.Upstream{
				ID:         up.id,
				Name:       "Provider " + up.id,
				Issuer:     up.issuer,
				ClientID:   n.id,
				Secret:     providertest.Secret,
				TrustEmail: true,
				Create:     policy.CreateUsersAny,
				Logout:     policy.UpstreamLogoutAsk,
			}
			if configure != nil {
				configure(&settings)
			}
			c.Upstreams = append(c.Upstreams, settings)
		}
	})
	server := &http.Server{Handler: n}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(n.listener) }) // ends with Shutdown
	t.Cleanup(func() {
		client.Close()
		_ = server.Close()
		served.Wait()
	})
}

// ServeHTTP lets before see a request first.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	before := n.before
	n.mu.Unlock()
	if before == nil || !before(w, r) {
		n.Provider.ServeHTTP(w, r)
	}
}

// intercept sets the function that sees each request first.
func (n *node) intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = before
}

// mustAddDownstream registers a node as a client of this one.
func (n *node) mustAddDownstream(down *node, change func(*storage.Metadata)) {
	n.MustAddClient(down.id, func(m *storage.Metadata) {
		base := down.issuer + "/upstream/" + n.id
		m.RedirectURIs = []string{base + "/callback"}
		m.PostLogoutRedirectURIs = []string{base + "/signed_out"}
		m.BackchannelLogoutURI = base + "/backchannel_logout"
		if change != nil {
			change(m)
		}
	})
}

// mustChain starts nodes, each with the one before as its upstream.
func mustChain(t testing.TB, ids ...string) []*node {
	t.Helper()
	nodes := mustListen(t, ids...)
	for i, n := range nodes {
		if i == 0 {
			n.mustStart(t, nil, nil)
			continue
		}
		n.mustStart(t, nodes[i-1:i], nil)
		nodes[i-1].mustAddDownstream(n, nil)
	}
	return nodes
}

// app is a client of a node. It receives logout tokens.
type app struct {
	id      string
	url     string
	logouts chan map[string]any // claims of the logout tokens
}

// mustAddApp starts an app and registers it at a node.
func (n *node) mustAddApp(t testing.TB, id string) *app {
	t.Helper()
	a := &app{id: id, logouts: make(chan map[string]any, 16)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if token := r.PostFormValue("logout_token"); token != "" {
			a.logouts <- providertest.MustReadClaims(t, token)
		}
	})}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) }) // ends with Close
	t.Cleanup(func() {
		_ = server.Close()
		served.Wait()
	})
	n.MustAddClient(id, func(m *storage.Metadata) {
		m.RedirectURIs = []string{a.url + "/cb"}
		m.PostLogoutRedirectURIs = []string{a.url + "/bye"}
		m.BackchannelLogoutURI = a.url + "/backchannel"
	})
	return a
}

// mustBeLoggedOut waits for a logout token with that sid.
func (a *app) mustBeLoggedOut(t testing.TB, sid any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case claims := <-a.logouts:
		if claims["sid"] != sid {
			t.Fatalf("%s: got a logout token for sid %v, want %v", a.id, claims["sid"], sid)
		}
	case <-ctx.Done():
		t.Fatalf("%s: got no logout token", a.id)
	}
}

// mustNotBeLoggedOut wants no logout token so far.
func (a *app) mustNotBeLoggedOut(t testing.TB) {
	t.Helper()
	select {
	case claims := <-a.logouts:
		t.Fatalf("%s: got the logout token %v, want none", a.id, claims)
	default:
	}
}

// visitor is a browser that follows redirects as long as they lead to a node.
type visitor struct {
	t     testing.TB
	http  *http.Client
	nodes []*node
	steps []string // the URLs that it opened

	isFrame bool // it opens them in a frame
}

func newVisitor(t testing.TB, nodes []*node) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, nodes: nodes, http: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open opens a URL and follows redirects between the nodes. Page.Path is the URL of the last page.
func (v *visitor) open(target string) providertest.Page {
	v.t.Helper()
	return v.do(http.MethodGet, target, nil)
}

func (v *visitor) do(method, target string, form url.Values) providertest.Page {
	v.t.Helper()
	const maxRedirects = 40
	for range maxRedirects {
		v.steps = append(v.steps, target)
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		r, err := http.NewRequestWithContext(v.t.Context(), method, target, body)
		if err != nil {
			v.t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		if !v.isFrame {
			r.Header.Set("Sec-Fetch-Dest", "document")
		}
		response, err := v.http.Do(r)
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			v.t.Fatal(err)
		}
		page := providertest.Page{
			Status: response.StatusCode,
			Header: response.Header,
			Body:   string(text),
			Path:   target,
		}
		next, err := response.Location()
		if err != nil || !v.isNode(next) {
			return page
		}
		method, target, form = http.MethodGet, next.String(), nil
	}
	v.t.Fatalf("got too many redirects: %v", v.steps)
	return providertest.Page{}
}

func (v *visitor) isNode(u *url.URL) bool {
	return slices.ContainsFunc(v.nodes, func(n *node) bool { return strings.HasSuffix(n.issuer, "//"+u.Host) })
}

// click opens the link with that id on a page.
func (v *visitor) click(p providertest.Page, id string) providertest.Page {
	v.t.Helper()
	link := p.Link(id)
	if link == "" {
		link = linkBefore(p.Body, id)
	}
	if link == "" {
		v.t.Fatalf("got no link %s at %s (status %d):\n%s", id, p.Path, p.Status, p.Body)
	}
	return v.open(v.absolute(p, link))
}

// linkBefore returns the href of an element that has it after its id or before.
func linkBefore(body, id string) string {
	before, _, found := strings.Cut(body, `id="`+id+`"`)
	if !found {
		return ""
	}
	_, link, _ := strings.Cut(before[strings.LastIndexByte(before, '<'):], `href="`)
	link, _, _ = strings.Cut(link, `"`)
	return link
}

func (v *visitor) absolute(p providertest.Page, link string) string {
	v.t.Helper()
	base, err := url.Parse(p.Path)
	if err != nil {
		v.t.Fatal(err)
	}
	u, err := base.Parse(link)
	if err != nil {
		v.t.Fatal(err)
	}
	return u.String()
}

// submit sends the first form of a page, with further fields as pairs.
func (v *visitor) submit(p providertest.Page, more ...string) providertest.Page {
	v.t.Helper()
	action, fields := p.Form(v.t)
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return v.do(http.MethodPost, v.absolute(p, action), fields)
}

// authorizeURL returns the URL of an authorization request of an app.
func (n *node) authorizeURL(a *app, more ...string) string {
	parameters := append([]string{"redirect_uri", a.url + "/cb"}, more...)
	return n.issuer + providertest.AuthorizeURL(a.id, parameters...)
}

// mustRedeem redeems the code of an authorization response and returns the claims of the ID token.
func (n *node) mustRedeem(t testing.TB, a *app, p providertest.Page) map[string]any {
	t.Helper()
	tokens := n.Token(a.id, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {p.ResponseParams(t).Get("code")},
		"redirect_uri":  {a.url + "/cb"},
		"code_verifier": {providertest.Verifier},
	})
	if tokens.IDToken == "" {
		t.Fatalf("got %+v, want tokens", tokens)
	}
	claims := providertest.MustReadClaims(t, tokens.IDToken)
	claims["id_token"], claims["access_token"] = tokens.IDToken, tokens.AccessToken
	return claims
}

// mustSignIn signs alice in at an app of the last node, by the account at the first node of the chain.
func (v *visitor) mustSignIn(nodes []*node, a *app, more ...string) map[string]any {
	v.t.Helper()
	last := nodes[len(nodes)-1]
	p := v.open(last.authorizeURL(a, more...))
	for i := len(nodes) - 2; i >= 0; i-- {
		p = v.click(p, "upstream-"+nodes[i].id)
	}
	if strings.Contains(p.Body, `id="password"`) {
		p = v.submit(p, "username", "alice", "password", providertest.Password)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = v.submit(p, "decision", "allow")
	}
	return last.mustRedeem(v.t, a, p)
}

// sessions returns the active sessions of all users of a node.
func (n *node) sessions(t testing.TB) []storage.Session {
	t.Helper()
	list, _, err := n.Store.ListSessions(
		t.Context(), storage.Selector{AllUsers: true}, time.Now(), storage.Page{Limit: 1000},
	)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// mustHaveSessions wants that many active sessions at each node.
func mustHaveSessions(t testing.TB, want int, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		if got := len(n.sessions(t)); got != want {
			t.Fatalf("%s: got %d sessions, want %d", n.id, got, want)
		}
	}
}

// text is a short form of fmt.Sprint.
func text(v any) string { return fmt.Sprint(v) }

// withDomain makes an upstream that of a domain.
func withDomain(domain string) func(*policy.Upstream) {
	return func(u *policy.Upstream) { u.Domains = []string{domain} }
}
