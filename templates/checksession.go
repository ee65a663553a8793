package templates

import (
	"fmt"
	"html/template"
	"io"
)

// CheckSessionPage is the OP frame of Session Management 1.0 §3.2. Relying parties load it in an invisible frame.
type CheckSessionPage struct {
	Page
	Cookie     string // the cookie that holds the browser state; the script reads it
	OriginsURL string // answers 204 if the origin is one of the client's, else 404
}

var checkSession = template.Must(template.New("checksession").Funcs(template.FuncMap{"asset": assetPath}).Parse(
	`<!doctype html><html lang="{{.Language}}"><meta charset="utf-8"><title>{{.ProductName}}</title>` +
		`<script id="check" src="{{.Base}}{{asset "checksession.js"}}" ` +
		`data-cookie="{{.Cookie}}" data-origins-url="{{.OriginsURL}}"></script></html>` + "\n"))

// CheckSession writes the OP frame.
func CheckSession(w io.Writer, p CheckSessionPage) error {
	if err := checkSession.Execute(w, p); err != nil {
		return fmt.Errorf("render check_session: %w", err)
	}
	return nil
}
