package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PagePolicy lists the differences of one page from the strict default headers.
type PagePolicy struct {
	// FormsToSelf says that the page has forms and that every form leads to a page of Curfew. It sets form-action
	// 'self'. A page must not set it if the response to a form may redirect to a client, because Chromium applies
	// form-action to such a redirect too.
	FormsToSelf bool

	// HasForms says that the page has forms. It sets a Referrer-Policy with which Chromium sends the origin of the page
	// with a form, instead of "null". FormsToSelf includes it.
	HasForms bool

	FrameOrigins []string // origins that the page may frame
	ImageOrigins []string // origins of logos
	Frameable    bool     // other sites may frame the page (check_session_iframe only)
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

// cspSources returns the distinct origins. Clients register them, so cspSources omits an origin with a character that
// would change the policy.
func cspSources(origins []string) []string {
	const policyCharacters = "; ,'\"*"
	var sources []string
	for _, origin := range origins {
		changesPolicy := strings.ContainsAny(origin, policyCharacters)
		if !changesPolicy && !slices.Contains(sources, origin) {
			sources = append(sources, origin)
		}
	}
	return sources
}

// baseHeaders sets the headers of every response.
func (s *Site) baseHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if s.Secure() && s.HSTS.MaxAge > 0 {
		h.Set("Strict-Transport-Security", s.HSTS.header())
	}
}

// HSTS configures the header that makes browsers use https only (RFC 6797). It applies to every app of the host.
type HSTS struct {
	// MaxAge is how long browsers remember the header. 0: the header is not sent.
	MaxAge            time.Duration
	IncludeSubDomains bool
}

// header returns the value of Strict-Transport-Security.
func (h HSTS) header() string {
	value := "max-age=" + strconv.Itoa(int(h.MaxAge/time.Second))
	if h.IncludeSubDomains {
		value += "; includeSubDomains"
	}
	return value
}

// ClearSiteData asks the browser to delete the given kinds of data of this origin (Clear Site Data §3.1). It keeps the
// Back button from showing pages of a user who has signed out.
//
// If the issuer has a path, the header is not sent, because it would also delete the data of other apps at the same
// origin. Then Cache-Control: no-store and the page's script protect the Back button.
func (s *Site) ClearSiteData(w http.ResponseWriter, kinds string) {
	if s.issuerPath() == "" {
		w.Header().Set("Clear-Site-Data", kinds)
	}
}
