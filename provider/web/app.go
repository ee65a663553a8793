package web

import (
	"net/url"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// App is a relying party as pages show it. next is where the browser goes from there, if it does. The logo is its
// owner's choice of what users see here, so it is shown only where that is allowed.
func (s *Site) App(c *storage.Client, redirectURI string) *templates.App {
	app := &templates.App{Name: c.ClientName, PolicyURI: c.PolicyURI, TosURI: c.TOSURI, SelfRegistered: c.Dynamic}
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

// LogoOrigins are the origins of clients' logos, for PagePolicy.Images.
func LogoOrigins(apps ...*templates.App) []string {
	var origins []string
	for _, app := range apps {
		if app == nil {
			continue
		}
		if o := Origin(app.LogoURI); o != "" {
			origins = append(origins, o)
		}
	}
	return origins
}
