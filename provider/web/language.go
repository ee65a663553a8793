package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/curfew-id/curfew/templates"
)

// The language of a page is the one that the user chose on a page, else the one that the app asked for (ui_locales),
// else the one that the browser asks for (Accept-Language).

// LanguagePath is where the links to other languages lead: LanguagePath/de.
const LanguagePath = "/language/"

const (
	cookieLanguage     = "curfew-language" // the language that the user chose
	cookieUILocales    = "curfew-locales"  // the language that the last app asked for
	languageLifetime   = 400 * 24 * time.Hour
	paramReturn        = "return"
	maxUILocalesLength = 200
)

// ChooseLanguage sets the language of all pages in this browser, and redirects to the page that the user came from.
func (s *Site) ChooseLanguage(w http.ResponseWriter, r *http.Request) error {
	tag := r.PathValue("tag")
	if !templates.HasLanguage(tag) {
		return PageError{Status: http.StatusNotFound, Reason: "no such language"}
	}
	target := r.URL.Query().Get(paramReturn)
	if !isOwnPath(target) {
		target = s.Path("/account")
	}
	isPrefetch := r.Header.Get("Sec-Purpose") != "" // the browser loads the link before the user has chosen it
	if !isPrefetch {
		s.setCookie(w, cookieLanguage, tag, languageLifetime)
	}
	Redirect(w, target)
	return nil
}

// isOwnPath reports whether a redirect to target stays on this host.
func isOwnPath(target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" {
		return false
	}
	isPath := strings.HasPrefix(target, "/")
	namesHost := strings.HasPrefix(target, "//")
	isRewrittenByBrowsers := strings.ContainsAny(target, "\\\t\r\n") // such a text may become //host
	return isPath && !namesHost && !isRewrittenByBrowsers
}

// RememberUILocales keeps the language that an app asks for with ui_locales (Core §3.1.2.1, RP-Initiated Logout 1.0 §2)
// until the browser closes. r gets the cookie as well, so that this response has that language already.
func (s *Site) RememberUILocales(w http.ResponseWriter, r *http.Request, uiLocales string) {
	if uiLocales == "" || len(uiLocales) > maxUILocalesLength {
		return
	}
	tag, ok := templates.MatchLanguage(strings.Fields(uiLocales)...)
	if !ok || s.cookie(r, cookieUILocales) == tag {
		return
	}
	const untilBrowserCloses = 0
	s.setCookie(w, cookieUILocales, tag, untilBrowserCloses)
	sent := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range sent {
		if c.Name != s.cookieName(cookieUILocales) {
			r.AddCookie(c)
		}
	}
	r.AddCookie(&http.Cookie{Name: s.cookieName(cookieUILocales), Value: tag})
}

// language returns the tag of the language for the pages of a request.
func (s *Site) language(r *http.Request) string {
	for _, name := range []string{cookieLanguage, cookieUILocales} {
		if tag := s.cookie(r, name); templates.HasLanguage(tag) {
			return tag
		}
	}
	tag, _ := templates.MatchLanguage(r.Header.Get("Accept-Language"))
	return tag
}

// languageLinks returns the links to the same page in other languages. A page that answers a form has none, since the
// browser could not return to it.
func (s *Site) languageLinks(r *http.Request, current string) []templates.LanguageLink {
	if r.Method != http.MethodGet {
		return nil
	}
	page := s.Path(r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		page += "?" + r.URL.RawQuery
	}
	var links []templates.LanguageLink
	for _, l := range templates.Languages() {
		links = append(links, templates.LanguageLink{
			Language: l,
			URL:      s.Path(LanguagePath+l.Tag) + "?" + url.Values{paramReturn: {page}}.Encode(),
			Current:  l.Tag == current,
		})
	}
	return links
}
