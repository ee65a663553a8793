package providertest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Page is a response with the path of its request.
type Page struct {
	Status int
	Header http.Header
	Body   string
	Path   string
}

var (
	actionPattern = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	buttonPattern = regexp.MustCompile(`<button[^>]*name="([^"]*)" value="([^"]*)"`)
)

// Form returns the action and the hidden fields of the page's first form.
func (p Page) Form(t testing.TB) (action string, fields url.Values) {
	t.Helper()
	form := actionPattern.FindStringSubmatch(p.Body)
	if form == nil {
		t.Fatalf("got no form at %s (status %d):\n%s", p.Path, p.Status, p.Body)
	}
	fields = url.Values{}
	_, body, _ := strings.Cut(p.Body, form[0])
	body, _, _ = strings.Cut(body, "</form>")
	for _, field := range hiddenPattern.FindAllStringSubmatch(body, -1) {
		name, value := field[1], field[2]
		fields.Set(name, html.UnescapeString(value))
	}
	return html.UnescapeString(form[1]), fields
}

// Attribute returns the value of the first attribute with the name.
func (p Page) Attribute(name string) string {
	_, rest, _ := strings.Cut(p.Body, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// Buttons returns the values of all buttons with the name.
func (p Page) Buttons(name string) (values []string) {
	for _, button := range buttonPattern.FindAllStringSubmatch(p.Body, -1) {
		if button[1] == name {
			values = append(values, html.UnescapeString(button[2]))
		}
	}
	return values
}

// Link returns the href of the element with the id, or "" if there is none.
func (p Page) Link(id string) string {
	link := regexp.MustCompile(`id="` + id + `"[^>]*href="([^"]*)"`).FindStringSubmatch(p.Body)
	if link == nil {
		return ""
	}
	return html.UnescapeString(link[1])
}

// ErrorLink returns the link of an error page to a client that registered itself, or "" if there is none.
func (p Page) ErrorLink() string { return p.Link("error-app") }

// ResponseParams returns the parameters that a redirect to a client has in its query or fragment.
func (p Page) ResponseParams(t testing.TB) url.Values {
	t.Helper()
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || p.Status != http.StatusSeeOther {
		t.Fatalf("got no redirect to a client at %s (status %d):\n%s", p.Path, p.Status, p.Body)
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

// MustName checks that the page is an error page whose description has what, and that the page has no redirect and no
// link to another site.
func (p Page) MustName(t testing.TB, what string) {
	t.Helper()
	_, description, _ := strings.Cut(p.Body, `id="error-description">`)
	description, _, _ = strings.Cut(description, "<")
	if p.Status != http.StatusBadRequest || !strings.Contains(description, what) {
		t.Errorf("got %d %q, want an error page that names %s", p.Status, description, what)
	}
	if location := p.Header.Get("Location"); location != "" {
		t.Errorf("got an error page that redirects to %q", location)
	}
	for _, marker := range []string{"http-equiv", "//evil", `href="http`} {
		if strings.Contains(p.Body, marker) {
			t.Errorf("got an error page that leads to another site by %s\n%s", marker, p.Body)
		}
	}
}
