package web

import (
	"net/url"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// App returns the client for display on a page. redirectURI is the URI to which the browser goes from the page, or "".
// App has the logo only if ShowLogos is set, because the owner of the client chooses the image.
func (s *Site) App(c *storage.Client, redirectURI string) *templates.App {
	app := &templates.App{
		Name:           c.ClientName,
		PolicyURI:      c.PolicyURI,
		TosURI:         c.TOSURI,
		Schemes:        c.AllowSchemes,
		SelfRegistered: c.Dynamic,
	}
	if app.Name == "" {
		app.Name = c.ClientID
	}
	if u, err := url.Parse(redirectURI); err == nil {
		app.Host = u.Host
	}
	if s.ShowLogos {
		app.LogoURI = c.LogoURI
	}
	return app
}

// LogoOrigins returns the origins of the apps' logos, for PagePolicy.ImageOrigins.
func LogoOrigins(apps ...*templates.App) []string {
	var origins []string
	for _, app := range apps {
		if app == nil {
			continue
		}
		if origin := Origin(app.LogoURI); origin != "" {
			origins = append(origins, origin)
		}
	}
	return origins
}
