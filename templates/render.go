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
	"slices"
	"strings"
	"time"
)

//go:embed html
var documents embed.FS

// parsePages parses all pages and returns them by the name of their file. Each page is layout.html with blocks of its
// own. The functions that the pages call write texts, times and lists in the language.
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
		"appLink":   safeAppURL,
		"removal": func(action, interaction, what, name string) factorRemoval {
			return factorRemoval{action, interaction, what, name}
		},
		"scopes": func(form string, scopes []LogoutScope, offline []OfflineAccess, hasFactors bool) sessionChoice {
			return sessionChoice{form, scopes, BackgroundApps(offline), hasFactors}
		},
	}
	layout := template.New("layout.html").Funcs(funcs)
	template.Must(layout.ParseFS(documents, "html/layout.html", "html/parts.html"))
	names, err := fs.Glob(documents, "html/*.html")
	if err != nil {
		panic(err) // the pattern is a constant and valid
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

// render writes a page in the language of p. It writes nothing if the page cannot be rendered.
func render(w io.Writer, p Page, name string, data any) error {
	var b bytes.Buffer
	if err := p.locale().pages()[name].Execute(&b, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// safeURL returns s if a page may link to it: a path on this site, an http or https URL, or a URL with the scheme of
// an installed app, which has a dot (RFC 8252 §7.1). It returns "" for all others, such as javascript: URLs; the page
// then leaves the link out.
func safeURL(s string) template.URL {
	u, err := url.Parse(s)
	if err != nil || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, isUnsafeInURL) {
		return ""
	}
	scheme := strings.ToLower(u.Scheme)
	isPath := scheme == "" && u.Host == "" && u.Opaque == ""
	isHTTP := (scheme == "http" || scheme == "https") && u.Host != ""
	isAppURL := strings.Contains(scheme, ".")
	if isPath || isHTTP || isAppURL {
		return template.URL(s) // byte by byte as registered
	}
	return ""
}

// safeAppURL is [safeURL] for an address of app, which may be nil. It also allows the schemes that an operator allowed
// for the app.
func safeAppURL(s string, app *App) template.URL {
	u, err := url.Parse(s)
	if err != nil || app == nil || strings.ContainsFunc(s, isUnsafeInURL) {
		return safeURL(s)
	}
	if scheme := strings.ToLower(u.Scheme); scheme != "" && slices.Contains(app.Schemes, scheme) {
		return template.URL(s) // byte by byte as registered
	}
	return safeURL(s)
}

// isUnsafeInURL reports whether browsers read a URL with this character in another way than Go does.
func isUnsafeInURL(r rune) bool {
	const del = 0x7f
	return r <= ' ' || r == del || r == '\\'
}
