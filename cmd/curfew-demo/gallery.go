package main

import (
	"bytes"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"

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

// gallery shows every page with canned data, so that it can be looked at without signing in. Whatever the pages link
// to, ask for or send is answered with nothing, which leaves the browser where it is.
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
			web.PageHeaders(
				w,
				web.PagePolicy{FormsToSelf: true, FrameOrigins: []string{"https://photos.example"}},
			) // a sample has a frame
			w.Write(page.Bytes())
		})
	}
	show("/{$}", func(b *bytes.Buffer) error { return galleryIndex.Execute(b, samples) })
	for _, s := range samples {
		show("/"+s.Name, func(b *bytes.Buffer) error { return s.Render(b) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
		w.WriteHeader(http.StatusNoContent)
	})
	for _, asset := range templates.Assets() {
		if strings.HasPrefix(path.Base(asset.Path), "submit.") {
			continue // it would lead away
		}
		mux.HandleFunc("GET "+asset.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asset.ContentType)
			w.Write(asset.Body)
		})
	}
	return mux
}
