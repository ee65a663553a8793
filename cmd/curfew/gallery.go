package main

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

var galleryIndex = template.Must(template.New("gallery").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Every page of Curfew</title>
<h1>Every page of Curfew, with canned data</h1>
<ul>{{range .}}
<li><a href="/{{.Name}}">{{.Name}}</a></li>{{end}}
</ul>
</html>
`))

// gallery shows every page with canned data, so that it can be looked at without signing in.
func gallery() http.Handler {
	samples := templates.Samples()
	mux := http.NewServeMux()
	show := func(path string, render func(*bytes.Buffer) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			var page bytes.Buffer
			if err := render(&page); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			web.PageHeaders(w, web.PagePolicy{FormSelf: true})
			w.Write(page.Bytes())
		})
	}
	show("/{$}", func(b *bytes.Buffer) error { return galleryIndex.Execute(b, samples) })
	for _, s := range samples {
		show("/"+s.Name, func(b *bytes.Buffer) error { return s.Render(b) })
	}
	for _, asset := range templates.Assets() {
		mux.HandleFunc("GET "+asset.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asset.ContentType)
			w.Write(asset.Body)
		})
	}
	return mux
}
