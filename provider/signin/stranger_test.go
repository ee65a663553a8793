package signin_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestErrorsDoNotRedirectToStrangers: a link to this provider must not lead to any website that registered itself,
// whether the user is signed in or not. A page names the host and links it.
func TestErrorsDoNotRedirectToStrangers(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddClient("shop", nil)
	o.MustAddStranger("evil", nil)
	signedIn := o.Browser()
	signedIn.MustSignIn("alice", "shop")
	for name, b := range map[string]*providertest.Browser{"signed in": signedIn, "not signed in": o.Browser()} {
		for parameter, value := range map[string]string{
			"scope":         "email",
			"response_type": "",
			"max_age":       "x",
			"id_token_hint": "x",
		} {
			request := providertest.AuthorizeURL("evil", parameter, value)
			p := b.Do(http.MethodGet, request, nil, nil)
			if p.Status != http.StatusBadRequest || p.Header.Get("Location") != "" {
				t.Errorf("%s, %s: got %d to %q, want a page", name, parameter, p.Status, p.Header.Get("Location"))
			}
			link, err := url.Parse(p.ErrorLink())
			if err != nil || link.Host != "evil.example" || link.Query().Get("error") == "" ||
				link.Query().Get("state") != "st" || link.Query().Get("iss") != providertest.Issuer {
				t.Errorf("%s, %s: got the link %q, want the error response", name, parameter, p.ErrorLink())
			}
			if !strings.Contains(p.Body, "<strong>evil.example</strong>") {
				t.Errorf("%s, %s: the page does not name the host", name, parameter)
			}
			atShop := b.Do(http.MethodGet, providertest.AuthorizeURL("shop", parameter, value), nil, nil)
			if atShop.Status != http.StatusSeeOther {
				t.Errorf("%s, %s: got %d for an operator's client, want a redirect", name, parameter, atShop.Status)
			}
		}
	}
}

// TestErrorsOfPromptNoneAndFormPostReachStrangers: with prompt=none no page may be shown, and form_post shows one.
func TestErrorsOfPromptNoneAndFormPostReachStrangers(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddStranger("app", nil)
	silent := providertest.AuthorizeURL("app", "prompt", "none", "scope", "email")
	if p := o.Browser().Do(http.MethodGet, silent, nil, nil); p.ResponseParams(t).Get("error") != "invalid_scope" {
		t.Errorf("got %d %q, want invalid_scope by a redirect", p.Status, p.Header.Get("Location"))
	}
	posted := providertest.AuthorizeURL("app", "response_mode", "form_post", "scope", "email")
	if action, fields := o.Browser().Do(http.MethodGet, posted, nil, nil).Form(t); action != "https://app.example/cb" ||
		fields.Get("error") != "invalid_scope" {
		t.Errorf("got a form to %s with %v, want the error", action, fields)
	}
}

// TestErrorsAfterAPageReachStrangers: the user has seen the client's host and has decided.
func TestErrorsAfterAPageReachStrangers(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddStranger("app", nil)
	b := o.Browser()
	p := b.Submit(b.Get(providertest.AuthorizeURL("app")), "username", "alice", "password", providertest.Password)
	p = b.Submit(p, "decision", "deny")
	if got := p.ResponseParams(t).Get("error"); got != "access_denied" {
		t.Errorf("got %q, want access_denied", got)
	}
}

// TestConsentToAStrangerIsToWhatWasShown: a client that registered itself can change its name, its logo and its
// redirect URIs at any time. Each change asks again.
func TestConsentToAStrangerIsToWhatWasShown(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddStranger("app", nil)
	b := o.Browser()
	b.MustSignIn("alice", "app")
	mustAsk := func(what string, want bool, more ...string) {
		t.Helper()
		if _, asked := asksConsent(b, "app", more...); asked != want {
			t.Errorf("%s: asks for consent: %v, want %v", what, asked, want)
		}
	}
	mustAsk("unchanged", false)
	o.MustChangeClient("app", func(c *storage.Client) { c.ClientName = "Your Bank" })
	mustAsk("another name", true)
	o.MustChangeClient("app", func(c *storage.Client) { c.ClientName = "App" })
	mustAsk("the name as before", false)
	o.MustChangeClient("app", func(c *storage.Client) {
		c.RedirectURIs = append(c.RedirectURIs, "https://elsewhere.example/cb")
	})
	elsewhere := []string{"redirect_uri", "https://elsewhere.example/cb"}
	mustAsk("the host as before", false)
	mustAsk("another host", true, elsewhere...)
	b.MustSignIn("alice", "app", elsewhere...)
	mustAsk("the other host, allowed", false, elsewhere...)
	mustAsk("the first host, allowed", false)
}

// TestStrangerCannotChangeBehindAnOpenConsentPage: consent counts for the name that the open page shows.
func TestStrangerCannotChangeBehindAnOpenConsentPage(t *testing.T) {
	o := providertest.MustStart(t, nil)
	o.MustAddStranger("app", nil)
	b := o.Browser()
	p := b.Submit(b.Get(providertest.AuthorizeURL("app")), "username", "alice", "password", providertest.Password)
	o.MustChangeClient("app", func(c *storage.Client) { c.ClientName = "Your Bank" })
	p = b.Submit(p, "decision", "allow")
	if !strings.Contains(p.Body, `id="allow"`) || !strings.Contains(p.Body, "Your Bank") {
		t.Fatalf("got %d %s, want the consent page with the new name", p.Status, p.Body)
	}
	if got := b.Submit(p, "decision", "allow").ResponseParams(t).Get("code"); got == "" {
		t.Error("got no code after the second consent")
	}
}

// TestStrangersDoNotLearnWhatARequestURIAnswers: a URL without a document, one with a web page, one with an object that
// another key signed and one with the object of another client give one answer.
func TestStrangersDoNotLearnWhatARequestURIAnswers(t *testing.T) {
	o := providertest.MustStart(t, nil)
	const requestURI = "https://evil.example/object"
	o.MustAddStranger("evil", func(m *storage.Metadata) { m.RequestURIs = []string{requestURI} })
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	answers := map[string]string{}
	for name, document := range map[string]string{
		"none":            "",
		"a page":          "<html>inside</html>",
		"a forged object": encode(`{"alg":"RS256"}`) + "." + encode(`{"iss":"evil"}`) + "." + encode("signature"),
		"another client":  encode(`{"alg":"none"}`) + "." + encode(`{"iss":"shop"}`) + ".",
		"not an object":   encode(`{"alg":"none"}`) + "." + encode(`[]`) + ".",
	} {
		if document != "" {
			o.Clients.Publish(requestURI, document)
		}
		request := providertest.AuthorizeURL("evil", "prompt", "none", "request_uri", requestURI)
		answer := o.Browser().Do(http.MethodGet, request, nil, nil).ResponseParams(t)
		if answer.Get("error") != "invalid_request_uri" {
			t.Errorf("%s: got %v, want invalid_request_uri", name, answer)
		}
		answers[answer.Encode()] = name
	}
	if len(answers) != 1 {
		t.Errorf("got the answers %v, want one", answers)
	}
}
