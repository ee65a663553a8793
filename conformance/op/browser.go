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

// Browser is a user's browser without scripts: it keeps cookies, follows redirects and sends forms.
type Browser struct {
	HTTP *http.Client
}

// Page is a response to the browser.
type Page struct {
	Status int
	URL    *url.URL
	Body   string
}

// NewBrowser returns a browser that sends its requests through transport.
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
	req.Header.Set("Accept", "text/html,*/*;q=0.8") // some apps redirect only browsers to the sign-in page
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
	formPattern   = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"(.*?)</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// Form returns the absolute action and the hidden fields of the page's first form.
func (p Page) Form() (action string, fields url.Values, err error) {
	form := formPattern.FindStringSubmatch(p.Body)
	if form == nil {
		return "", nil, fmt.Errorf("no form at %s (status %d):\n%s", p.URL, p.Status, p.Body)
	}
	target, err := p.URL.Parse(html.UnescapeString(form[1]))
	if err != nil {
		return "", nil, err
	}
	fields = url.Values{}
	for _, field := range hiddenPattern.FindAllStringSubmatch(form[2], -1) {
		name, value := field[1], field[2]
		fields.Set(name, html.UnescapeString(value))
	}
	return target.String(), fields, nil
}

// Submit sends the first form of a page. more are further fields, as pairs of name and value.
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

// SignIn opens an address and, if the sign-in page or the consent page comes, signs in and allows.
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
