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

// gallery shows every page with made-up data, for looking at the pages without signing in. It answers links, forms and
// requests of the pages with 204, so that the browser stays on the page.
func gallery() http.Handler {
	samples := templates.Samples()
	mux := http.NewServeMux()
	show := func(path string, render func(b *bytes.Buffer, language string) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			var page bytes.Buffer
			if err := render(&page, r.URL.Query().Get("lang")); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			policy := web.PagePolicy{
				FormsToSelf:  true,
				FrameOrigins: []string{"https://photos.example"}, // the frame of a sample
			}
			web.PageHeaders(w, policy)
			w.Write(page.Bytes())
		})
	}
	show("/{$}", func(b *bytes.Buffer, _ string) error { return galleryIndex.Execute(b, samples) })
	for _, s := range samples {
		show("/"+s.Name, func(b *bytes.Buffer, language string) error { return s.RenderIn(b, language) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
		w.WriteHeader(http.StatusNoContent)
	})
	for _, asset := range templates.Assets() {
		if strings.HasPrefix(path.Base(asset.Path), "submit.") {
			continue // this script would leave the page
		}
		mux.HandleFunc("GET "+asset.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asset.ContentType)
			w.Write(asset.Body)
		})
	}
	return mux
}
