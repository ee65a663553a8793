package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed html
var documents embed.FS

// parsePages parses all pages, by the name of their file. Every page is layout.html with its own blocks; the
// functions that put texts, times and lists in words are those of the language.
func (l *locale) parsePages() map[string]*template.Template {
	funcs := template.FuncMap{
		"t":         l.text,
		"strong":    strong,
		"countdown": l.countdown,
		"list":      l.list,
		"apps":      l.appNames,
		"devices":   l.devices,
		"time":      func(t time.Time) Part { return l.time(t, ShowFull) },
		"clock":     func(t time.Time) Part { return l.time(t, ShowClock) },
		"date":      func(t time.Time) Part { return l.time(t, ShowDate) },
		"when":      l.timeOrDate,
		"ago":       l.ago,
		"device":    l.device,
		"event":     l.event,
		"reason":    l.reason,
		"notice":    l.notice,
		"problem":   l.problem,
		"ifEnded":   func(h *Horizon) HorizonTexts { return l.ifEndedNow(*h) },
		"link":      safeURL,
		"scopes":    func(form string, scopes []LogoutScope) sessionChoice { return sessionChoice{form, scopes} },
	}
	layout := template.Must(
		template.New("layout.html").Funcs(funcs).ParseFS(documents, "html/layout.html", "html/parts.html"),
	)
	names, err := fs.Glob(documents, "html/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page == "layout" || page == "parts" {
			continue
		}
		all[page] = template.Must(template.Must(layout.Clone()).ParseFS(documents, name))
	}
	return all
}

// render writes a page in the language of p, as a whole or not at all.
func render(w io.Writer, p Page, name string, data any) error {
	var b bytes.Buffer
	if err := p.locale().pages()[name].Execute(&b, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// safeURL lets through what a user may follow: addresses on this site, http and https, and the schemes of installed
// apps, which carry their owner's domain (RFC 8252 §7.1). Anything else, javascript: above all, becomes "" and its
// link is left out.
func safeURL(s string) template.URL {
	u, err := url.Parse(s)
	if err != nil || strings.HasPrefix(s, "//") ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return ""
	}
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "" && (u.Host == "" && u.Opaque == ""),
		(scheme == "http" || scheme == "https") && u.Host != "",
		strings.Contains(scheme, "."):
		return template.URL(s) // as it was registered, nothing decoded or sorted
	}
	return ""
}
