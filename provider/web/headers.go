package web

import (
	"net/http"
	"slices"
	"strings"
)

// PagePolicy is how one page differs from the strict default.
type PagePolicy struct {
	FormSelf bool     // its forms never lead to an application: form-action 'self'. Elsewhere Chromium would apply it to the application's own redirects
	Frames   []string // origins it may frame
	Images   []string // origins of logos
	Forms    bool     // it has forms: under no-referrer Chromium would send Origin: null with them
	Framed   bool     // other sites may frame it (check_session_iframe only)
}

// PageHeaders sets the security headers of an HTML page.
func PageHeaders(w http.ResponseWriter, p PagePolicy) {
	csp := []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "object-src 'none'",
		"img-src " + strings.Join(append([]string{"'self'", "data:"}, sources(p.Images)...), " ")}
	if frames := sources(p.Frames); len(frames) > 0 {
		csp = append(csp, "frame-src "+strings.Join(frames, " "))
	}
	if p.FormSelf {
		csp = append(csp, "form-action 'self'")
	}
	h := w.Header()
	if !p.Framed {
		csp = append(csp, "frame-ancestors 'none'")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	h.Set("Content-Security-Policy", strings.Join(csp, "; "))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if p.Forms || p.FormSelf {
		h.Set("Referrer-Policy", "same-origin")
	}
}

// sources are the origins, each once. They come from what applications registered; one that would end a directive is left out.
func sources(origins []string) []string {
	var list []string
	for _, o := range origins {
		if !slices.Contains(list, o) && !strings.ContainsAny(o, "; ,'\"*") {
			list = append(list, o)
		}
	}
	return list
}

// baseHeaders go with every answer.
func (s *Site) baseHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if s.Secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}
