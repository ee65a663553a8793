package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
)

const (
	englishPage = `<html lang="en">`
	germanPage  = `<html lang="de">`
)

func mustBeIn(t *testing.T, want string, p providertest.Page) {
	t.Helper()
	if !strings.Contains(p.Body, want) {
		t.Errorf("%s: got %d, want a page with %s", p.Path, p.Status, want)
	}
}

func TestUserChoosesTheLanguageOnAnyPage(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddClient("atlas", nil)
	b := o.Browser()
	signIn := b.Get(providertest.AuthorizeURL("atlas"))
	mustBeIn(t, englishPage, signIn)
	query := url.Values{"return": {signIn.Path}}.Encode()
	mustBeIn(t, `href="/language/de?`+strings.ReplaceAll(query, "&", "&amp;")+`"`, signIn)
	mustBeIn(t, germanPage, b.Get("/language/de?"+query))
	b.MustJoin("alice", "atlas")
	for _, path := range []string{"/account", "/account/security", "/no-such-page"} {
		mustBeIn(t, germanPage, b.Get(path))
	}
	mustBeIn(t, englishPage, b.Get("/language/en?return=%2Faccount"))
}

func TestChoiceOfALanguageLeadsNowhereElse(t *testing.T) {
	o := providertest.MustStart(t, nil)
	for _, target := range []string{
		"", "//evil.example", "https://evil.example/", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)",
		"evil.example", "\\\\evil.example", "/\n/evil.example", "https:/evil.example",
	} {
		p := o.Browser().Do(http.MethodGet, "/language/de?"+url.Values{"return": {target}}.Encode(), nil, nil)
		if p.Status != http.StatusSeeOther || p.Header.Get("Location") != "/account" {
			t.Errorf("%q: got %d to %q, want a redirect to /account", target, p.Status, p.Header.Get("Location"))
		}
	}
	if p := o.Browser().Get("/language/xx"); p.Status != http.StatusNotFound {
		t.Errorf("an unknown language: got %d, want 404", p.Status)
	}
	prefetch := http.Header{"Sec-Purpose": {"prefetch"}}
	if p := o.Browser().Do(http.MethodGet, "/language/de", nil, prefetch); p.Header.Get("Set-Cookie") != "" {
		t.Error("a browser that only prefetches a link chose a language")
	}
}

// TestAppAsksForALanguage (Core §3.1.2.1, ui_locales): the user's own choice wins, and the browser's comes last.
func TestAppAsksForALanguage(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddClient("atlas", nil)
	b := o.Browser()
	mustBeIn(t, englishPage, b.Get(providertest.AuthorizeURL("atlas", "ui_locales", "xx-YY <>")))
	signIn := b.Get(providertest.AuthorizeURL("atlas", "ui_locales", "xx de-CH en"))
	mustBeIn(t, germanPage, signIn)
	mustBeIn(t, germanPage, b.Submit(signIn, "username", "alice", "password", "wrong"))
	mustBeIn(t, englishPage, b.Get(providertest.EndSessionURL("ui_locales", "en")))
	b.Get("/language/de")
	mustBeIn(t, germanPage, b.Get(providertest.EndSessionURL("ui_locales", "en")))

	accept := http.Header{"Accept-Language": {"de-AT,de;q=0.9,en;q=0.5"}}
	mustBeIn(t, germanPage, o.Browser().Do(http.MethodGet, "/no-such-page", nil, accept))
}
