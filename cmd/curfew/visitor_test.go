package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"

	"github.com/curfew-id/curfew/conformance/rp"
)

// visitor is a browser without scripts and frames, as far as forms and cookies go.
type visitor struct{ client *http.Client }

// fetchedPage is a page and where it was found.
type fetchedPage struct {
	url  *url.URL
	body string
}

func newVisitor() (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := rp.LocalClient()
	client.Jar = jar
	return &visitor{client}, nil
}

func (v *visitor) get(url string) (fetchedPage, error) { return read(v.client.Get(url)) }

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	attribute  = regexp.MustCompile(`(name|value)="([^"]*)"`)
)

// submit fills in the page's first form and sends it.
func (v *visitor) submit(page fetchedPage, fields url.Values) (fetchedPage, error) {
	action := formAction.FindStringSubmatch(page.body)
	if action == nil {
		return fetchedPage{}, fmt.Errorf("no form at %s:\n%s", page.url, page.body)
	}
	target, err := page.url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		return fetchedPage{}, err
	}
	for _, input := range hidden.FindAllString(page.body, -1) {
		field := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(input, -1) {
			field[a[1]] = html.UnescapeString(a[2])
		}
		fields.Set(field["name"], field["value"])
	}
	return read(v.client.PostForm(target.String(), fields))
}

func read(resp *http.Response, err error) (fetchedPage, error) {
	if err != nil {
		return fetchedPage{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fetchedPage{resp.Request.URL, string(body)}, err
}
