package providertest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Browser keeps cookies and follows redirects within the provider. It runs no scripts and loads no frames.
type Browser struct {
	Fixture   *Fixture
	Cookies   map[string]string
	UserAgent string
}

// Browser returns a browser without cookies.
func (f *Fixture) Browser() *Browser { return &Browser{Fixture: f, Cookies: map[string]string{}} }

// Copy returns an independent browser with the same cookies.
func (b *Browser) Copy() *Browser {
	return &Browser{Fixture: b.Fixture, Cookies: maps.Clone(b.Cookies), UserAgent: b.UserAgent}
}

// Do sends one request and does not follow a redirect. It sends a form with the headers of a browser on a page of the
// provider; header can override them.
func (b *Browser) Do(method, target string, form url.Values, header http.Header) Page {
	b.Fixture.T.Helper()
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
	if b.UserAgent != "" {
		r.Header.Set("User-Agent", b.UserAgent)
	}
	maps.Copy(r.Header, header)
	for name, value := range b.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.Fixture.Provider.ServeHTTP(w, r)
	response := w.Result()
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 {
			delete(b.Cookies, c.Name)
		} else {
			b.Cookies[c.Name] = c.Value
		}
	}
	return Page{Status: response.StatusCode, Header: response.Header, Body: w.Body.String(), Path: r.URL.RequestURI()}
}

// Follow follows redirects within the provider and returns the last page.
func (b *Browser) Follow(p Page) Page {
	const maxRedirects = 10
	for range maxRedirects {
		location := p.Header.Get("Location")
		toProvider := strings.HasPrefix(location, "/") || strings.HasPrefix(location, Issuer+"/")
		if p.Status != http.StatusSeeOther || !toProvider {
			return p
		}
		p = b.Do(http.MethodGet, strings.TrimPrefix(location, Issuer), nil, nil)
	}
	b.Fixture.T.Fatal("too many redirects")
	return p
}

// Get opens a page and follows redirects.
func (b *Browser) Get(target string) Page { return b.Follow(b.Do(http.MethodGet, target, nil, nil)) }

// Post sends a form and follows redirects.
func (b *Browser) Post(target string, form url.Values) Page {
	return b.Follow(b.Do(http.MethodPost, target, form, nil))
}

// Submit sends the first form of a page. more are further fields, as pairs of name and value.
func (b *Browser) Submit(p Page, more ...string) Page {
	b.Fixture.T.Helper()
	action, fields := p.Form(b.Fixture.T)
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return b.Post(action, fields)
}

// AuthorizeURL returns the URL of an authorization request for a code. more are pairs of name and value that replace
// parameters; an empty value removes the parameter.
func AuthorizeURL(client string, more ...string) string {
	q := url.Values{
		"client_id":             {client},
		"redirect_uri":          {"https://" + client + ".example/cb"},
		"response_type":         {"code"},
		"scope":                 {"openid"},
		"state":                 {"st"},
		"nonce":                 {"nn"},
		"code_challenge":        {Challenge},
		"code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			q.Del(more[i])
		} else {
			q.Set(more[i], more[i+1])
		}
	}
	return "/authorize?" + q.Encode()
}

// EndSessionURL returns the URL of a logout request, with parameters as pairs of name and value.
func EndSessionURL(parameters ...string) string {
	q := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	return "/end_session?" + q.Encode()
}

// MustSignIn signs a user in at a client through the pages, gives consent if the provider asks for it, and returns the
// authorization response.
func (b *Browser) MustSignIn(user, client string, more ...string) url.Values {
	b.Fixture.T.Helper()
	p := b.Get(AuthorizeURL(client, more...))
	if strings.Contains(p.Body, `id="password"`) {
		p = b.Submit(p, "username", user, "password", Password)
	}
	if strings.Contains(p.Body, `id="allow"`) {
		p = b.Submit(p, "decision", "allow")
	}
	return p.ResponseParams(b.Fixture.T)
}

// MustJoin signs a user in at a client and redeems the code.
func (b *Browser) MustJoin(user, client string, more ...string) TokenResponse {
	b.Fixture.T.Helper()
	response := b.Fixture.Redeem(client, b.MustSignIn(user, client, more...).Get("code"))
	if response.Error != "" || response.IDToken == "" {
		b.Fixture.T.Fatalf("got %+v, want tokens", response)
	}
	return response
}

// MustPromptNone sends an authorization request with prompt=none and returns the response.
func (b *Browser) MustPromptNone(client string) url.Values {
	b.Fixture.T.Helper()
	return b.Do(http.MethodGet, AuthorizeURL(client, "prompt", "none"), nil, nil).ResponseParams(b.Fixture.T)
}

// SignedIn reports whether the browser has an active session: whether the client gets a code with prompt=none.
func (b *Browser) SignedIn(client string) bool {
	b.Fixture.T.Helper()
	return b.MustPromptNone(client).Get("code") != ""
}

// SubmitSecurity sends one of the forms of the security page. path is the action of the form, fields are pairs of name
// and value.
func (b *Browser) SubmitSecurity(path string, fields ...string) Page {
	b.Fixture.T.Helper()
	_, form := b.Get("/account/security").Form(b.Fixture.T)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.Post(path, form)
}
