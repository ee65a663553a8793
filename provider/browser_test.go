package provider_test

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser keeps cookies and follows redirects within the provider.
type browser struct {
	o       *op
	cookies map[string]string
	agent   string // its User-Agent
}

func (o *op) browser() *browser { return &browser{o: o, cookies: map[string]string{}} }

// page is an answer.
type page struct {
	Status int
	Header http.Header
	Body   string
	Path   string // where it was found
}

// copy is the browser as it is now, whatever becomes of it later.
func (b *browser) copy() *browser {
	return &browser{o: b.o, cookies: maps.Clone(b.cookies), agent: b.agent}
}

// do sends one request, without following anything.
func (b *browser) do(method, target string, form url.Values, header http.Header) page {
	b.o.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr = "192.0.2.7:4711"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if b.agent != "" {
		r.Header.Set("User-Agent", b.agent)
	}
	for name, v := range header {
		r.Header[name] = v
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.o.provider.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return page{resp.StatusCode, resp.Header, w.Body.String(), r.URL.RequestURI()}
}

// follow follows redirects as long as they stay here.
func (b *browser) follow(p page) page {
	for range 10 {
		location := p.Header.Get("Location")
		if p.Status != http.StatusSeeOther || !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, issuer+"/") {
			return p
		}
		p = b.do(http.MethodGet, strings.TrimPrefix(location, issuer), nil, nil)
	}
	b.o.t.Fatal("too many redirects")
	return p
}

func (b *browser) get(target string) page { return b.follow(b.do(http.MethodGet, target, nil, nil)) }

func (b *browser) post(target string, form url.Values) page {
	return b.follow(b.do(http.MethodPost, target, form, nil))
}

var (
	actionPattern = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// form finds a page's first form with its hidden fields.
func (p page) form(t testing.TB) (action string, fields url.Values) {
	t.Helper()
	m := actionPattern.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("got no form at %s (status %d):\n%s", p.Path, p.Status, p.Body)
	}
	fields = url.Values{}
	for _, h := range hiddenPattern.FindAllStringSubmatch(p.Body, -1) {
		fields.Set(h[1], html.UnescapeString(h[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// attribute is the value of the page's only attribute of that name.
func (p page) attribute(name string) string {
	_, rest, _ := strings.Cut(p.Body, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// submit sends a page's first form with more fields.
func (b *browser) submit(p page, more ...string) page {
	b.o.t.Helper()
	action, fields := p.form(b.o.t)
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return b.post(action, fields)
}

// authorizeURL asks for a code for a client; more overrides parameters, an empty value leaves one out.
func authorizeURL(client string, more ...string) string {
	q := url.Values{"client_id": {client}, "redirect_uri": {"https://" + client + ".example/cb"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"st"},
		"nonce": {"nn"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			q.Del(more[i])
		} else {
			q.Set(more[i], more[i+1])
		}
	}
	return "/authorize?" + q.Encode()
}

// mustSignIn signs a user in at a client, through the pages, and gives the answer's parameters.
func (b *browser) mustSignIn(user, client string, more ...string) url.Values {
	b.o.t.Helper()
	p := b.get(authorizeURL(client, more...))
	if strings.Contains(p.Body, `id="password"`) {
		p = b.submit(p, "username", user, "password", testPassword)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = b.submit(p, "decision", "allow")
	}
	return p.responseParams(b.o.t)
}

// responseParams is what an application gets by a redirect.
func (p page) responseParams(t testing.TB) url.Values {
	t.Helper()
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || p.Status != http.StatusSeeOther {
		t.Fatalf("got no redirect to an application at %s (status %d):\n%s", p.Path, p.Status, p.Body)
	}
	if u.Fragment != "" {
		q, err := url.ParseQuery(u.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	return u.Query()
}

// mustJoin signs a user in at a client and redeems the code.
func (b *browser) mustJoin(user, client string, more ...string) tokenResponse {
	b.o.t.Helper()
	a := b.o.redeem(client, b.mustSignIn(user, client, more...).Get("code"))
	if a.Error != "" || a.IDToken == "" {
		b.o.t.Fatalf("got %+v, want tokens", a)
	}
	return a
}
