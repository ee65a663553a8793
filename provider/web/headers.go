package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PagePolicy is how one page differs from the strict default.
type PagePolicy struct {
	FormsToSelf  bool     // its forms never lead to a client: form-action 'self'. Elsewhere Chromium would apply it to the client's own redirects
	FrameOrigins []string // origins it may frame
	ImageOrigins []string // origins of logos
	HasForms     bool     // it has forms: under no-referrer Chromium would send Origin: null with them
	Frameable    bool     // other sites may frame it (check_session_iframe only)
}

// PageHeaders sets the security headers of an HTML page.
func PageHeaders(w http.ResponseWriter, p PagePolicy) {
	csp := []string{
		"default-src 'none'",
		"style-src 'self'",
		"script-src 'self'",
		"connect-src 'self'",
		"base-uri 'none'",
		"object-src 'none'",
		"img-src " + strings.Join(append([]string{"'self'", "data:"}, cspSources(p.ImageOrigins)...), " "),
	}
	if frames := cspSources(p.FrameOrigins); len(frames) > 0 {
		csp = append(csp, "frame-src "+strings.Join(frames, " "))
	}
	if p.FormsToSelf {
		csp = append(csp, "form-action 'self'")
	}
	h := w.Header()
	if !p.Frameable {
		csp = append(csp, "frame-ancestors 'none'")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	h.Set("Content-Security-Policy", strings.Join(csp, "; "))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if p.HasForms || p.FormsToSelf {
		h.Set("Referrer-Policy", "same-origin")
	}
}

// cspSources are the origins, each once. They come from what clients registered; one that would end a directive is
// left out.
func cspSources(origins []string) []string {
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
	if s.Secure() && s.HSTS.MaxAge > 0 {
		h.Set("Strict-Transport-Security", s.HSTS.header())
	}
}

// HSTS says for how long browsers reach this host by https only (RFC 6797). It concerns every app of the host.
type HSTS struct {
	MaxAge            time.Duration // 0: the header is not sent
	IncludeSubDomains bool
}

func (h HSTS) header() string {
	value := "max-age=" + strconv.Itoa(int(h.MaxAge/time.Second))
	if h.IncludeSubDomains {
		value += "; includeSubDomains"
	}
	return value
}

// ClearSiteData asks the browser to forget what this origin left there, of the kinds that are named (Clear Site Data
// §3.1). An issuer with a path shares its origin with other apps, whose storage the header would empty too: there it
// is not sent. What it is for, that the Back button shows no page of a user who has signed out, is then kept by
// no-store and by the page's own script.
func (s *Site) ClearSiteData(w http.ResponseWriter, kinds string) {
	if s.issuerPath() == "" {
		w.Header().Set("Clear-Site-Data", kinds)
	}
}
