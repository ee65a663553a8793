package providertest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Page is a response and the path that gave it.
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

// Form finds the first form of the page, with its hidden fields.
func (p Page) Form(t testing.TB) (action string, fields url.Values) {
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

// Attribute returns the value of the page's only attribute of that name.
func (p Page) Attribute(name string) string {
	_, rest, _ := strings.Cut(p.Body, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// Buttons returns the values of the buttons of that name.
func (p Page) Buttons(name string) (values []string) {
	for _, m := range buttonPattern.FindAllStringSubmatch(p.Body, -1) {
		if m[1] == name {
			values = append(values, html.UnescapeString(m[2]))
		}
	}
	return values
}

// Link returns where the element of that id leads; empty without one.
func (p Page) Link(id string) string {
	m := regexp.MustCompile(`id="` + id + `"[^>]*href="([^"]*)"`).FindStringSubmatch(p.Body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// ResponseParams returns the parameters that the page sends to a client by a redirect, in the query or the fragment.
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

// MustName wants an error page that names what is wrong and leads nowhere.
func (p Page) MustName(t testing.TB, what string) {
	t.Helper()
	_, description, _ := strings.Cut(p.Body, `id="error-description">`)
	description, _, _ = strings.Cut(description, "<")
	if p.Status != http.StatusBadRequest || !strings.Contains(description, what) {
		t.Errorf("got %d %q, want an error page that names %s", p.Status, description, what)
	}
	if p.Header.Get("Location") != "" || strings.Contains(p.Body, "http-equiv") || strings.Contains(p.Body, "//evil") ||
		strings.Contains(p.Body, `href="http`) {
		t.Errorf("got an error page that leads to %q\n%s", p.Header.Get("Location"), p.Body)
	}
}
