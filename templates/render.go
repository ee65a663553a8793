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
	"sync"
	"time"
)

//go:embed html
var documents embed.FS

// pages are all pages by the name of their file. Every one is layout.html with its own blocks. They are parsed when the first of them is asked
// for, since that takes longer than everything else that a command does.
var pages = sync.OnceValue(parse)

func parse() map[string]*template.Template {
	funcs := template.FuncMap{
		"link":    safeURL,
		"time":    func(t time.Time) Part { return Part{Time: t, Show: ShowFull} },
		"date":    func(t time.Time) Part { return Part{Time: t, Show: ShowDate} },
		"when":    timeOrDate,
		"seconds": func(t time.Time) Part { return Part{Time: t, Show: ShowSeconds} },
		"ends":    func(form string, ends []LogoutScope) sessionChoice { return sessionChoice{form, ends} },
		"ago":     pastTime,
		"list":    joinNames,
		"choose":  chooseForm,
	}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(documents, "html/layout.html", "html/parts.html"))
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

// render writes a page as a whole or not at all.
func render(w io.Writer, name string, data any) error {
	var b bytes.Buffer
	if err := pages()[name].Execute(&b, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// safeURL lets through what a person may follow: addresses on this site, http and https, and the schemes of installed applications,
// which carry their owner's domain (RFC 8252 §7.1). Anything else, javascript: above all, becomes "" and its link is left out.
func safeURL(s string) template.URL {
	u, err := url.Parse(s)
	if err != nil || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
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

// chooseForm picks the form of a verb.
func chooseForm(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// timeOrDate is an instant with its time of day if that is less than two days away, else with its date.
func timeOrDate(now, at time.Time) Part {
	if d := at.Sub(now).Abs(); d > 48*time.Hour && !now.IsZero() {
		return Part{Time: at, Show: ShowDate}
	}
	return Part{Time: at, Show: ShowFull}
}

// PastTime is an instant in the past with how long ago it was.
type PastTime struct {
	Part
	Words string
}

// pastTime tells how long ago something was; without a now it gives the instant.
func pastTime(now, at time.Time) PastTime {
	a := PastTime{Part: Part{Time: at, Show: ShowFull}}
	switch d := now.Sub(at); {
	case now.IsZero():
		a.Words = a.UTC()
	case d < 2*time.Minute:
		a.Words = "now"
	default:
		a.Words = formatDuration(d) + " ago"
	}
	return a
}
