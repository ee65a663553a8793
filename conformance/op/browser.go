package op

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Browser is a person's browser without scripts: it keeps cookies, follows redirects and fills in forms.
type Browser struct {
	HTTP *http.Client
}

// Page is what a visitor sees.
type Page struct {
	Status int
	URL    *url.URL
	Body   string
}

// NewBrowser makes one whose requests go through transport.
func NewBrowser(transport http.RoundTripper) (*Browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Browser{HTTP: &http.Client{Transport: transport, Jar: jar}}, nil
}

// Get opens a page.
func (v *Browser) Get(address string) (Page, error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("Accept", "text/html,*/*;q=0.8") // some applications lead only browsers to the sign-in page
	resp, err := v.HTTP.Do(req)
	return read(resp, err)
}

func read(resp *http.Response, err error) (Page, error) {
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Page{resp.StatusCode, resp.Request.URL, string(body)}, err
}

var (
	form   = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"(.*?)</form>`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// Form finds the page's first form: where it is sent to, and its hidden fields.
func (p Page) Form() (action string, fields url.Values, err error) {
	m := form.FindStringSubmatch(p.Body)
	if m == nil {
		return "", nil, fmt.Errorf("no form at %s (status %d):\n%s", p.URL, p.Status, p.Body)
	}
	target, err := p.URL.Parse(html.UnescapeString(m[1]))
	if err != nil {
		return "", nil, err
	}
	fields = url.Values{}
	for _, h := range hidden.FindAllStringSubmatch(m[2], -1) {
		fields.Set(h[1], html.UnescapeString(h[2]))
	}
	return target.String(), fields, nil
}

// Submit sends a page's first form with more fields (name, value, …).
func (v *Browser) Submit(p Page, more ...string) (Page, error) {
	target, fields, err := p.Form()
	if err != nil {
		return p, err
	}
	for i := 0; i+1 < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	resp, err := v.HTTP.PostForm(target, fields)
	return read(resp, err)
}

// SignIn opens an address that leads to the sign-in page, unless the person is signed in, and signs in.
func (v *Browser) SignIn(address, name, password string) (Page, error) {
	p, err := v.Get(address)
	if err == nil && strings.Contains(p.Body, `id="password"`) {
		p, err = v.Submit(p, "username", name, "password", password)
	}
	if err == nil && strings.Contains(p.Body, `id="allow"`) {
		p, err = v.Submit(p, "decision", "allow")
	}
	return p, err
}
