package apps

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
)

// site is one site behind mod_auth_openidc. Each has an address of its own on loopback, so that no two share cookies.
type site struct {
	ID   string // client_id
	Host string // address:port
}

// TestThreeApacheSitesLoseTheirSessionsTogether: a user is signed in at three sites and signs out at the first, by the
// logout of mod_auth_openidc. The other two lose their sessions, and the browser comes back to the first.
func TestThreeApacheSitesLoseTheirSessionsTogether(t *testing.T) {
	apache, err := exec.LookPath("/usr/sbin/apache2")
	if err != nil {
		need.Missing(t, "Apache is not here: install Debian's apache2 and libapache2-mod-auth-openidc")
	}
	if _, err := os.Stat(filepath.Join(modules, "mod_auth_openidc.so")); err != nil {
		need.Missing(t, "mod_auth_openidc is not here: install Debian's libapache2-mod-auth-openidc")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o, folder := mustProvide(t, ctx)
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	var sites []site
	for i := range 3 {
		s := site{ID: fmt.Sprintf("site%d", i+1), Host: fmt.Sprintf("127.0.0.%d:%s", i+2, port)}
		sites = append(sites, s)
		err := o.AddClient(ctx, map[string]any{
			"client_id":                 s.ID,
			"client_secret":             secret,
			"redirect_uris":             []string{"http://" + s.Host + "/private/callback"},
			"post_logout_redirect_uris": []string{"http://" + s.Host + "/"},
			"backchannel_logout_uri":    "http://" + s.Host + "/private/callback?logout=backchannel",
			"scope":                     "openid profile email",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	config := mustConfigureSites(t, folder, o.Issuer, sites)
	mustRun(t, ctx, exec.Command(apache, "-X", "-f", config), sites[2].Host)
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(filepath.Dir(config), "error.log")); err == nil && t.Failed() {
			t.Logf("%s", log)
		}
	})

	v, err := op.NewBrowser(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	const signedIn = "the private page"
	for _, s := range sites {
		p, err := v.SignIn("http://"+s.Host+"/private/index.html", "ada", password)
		if err != nil || !strings.Contains(p.Body, signedIn) {
			t.Fatalf("got %v, not signed in at %s:\n%s", err, s.ID, p.Body)
		}
	}
	back := "http://" + sites[0].Host + "/"
	p, err := v.Get("http://" + sites[0].Host + "/private/callback?logout=" + url.QueryEscape(back))
	if err != nil || !strings.Contains(p.Body, `data-continue-url="`+back) {
		t.Fatalf("got %v, want the signed-out page that goes back to %s:\n%s", err, back, p.Body)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, s := range sites {
		for {
			p, err := v.Get("http://" + s.Host + "/private/index.html")
			if err == nil && strings.Contains(p.Body, `id="password"`) {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("got %v, still signed in at %s:\n%s", err, s.ID, p.Body)
			case <-tick.C:
			}
		}
	}
}

// mustConfigureSites writes the configuration of Apache and the pages of the sites, and returns the configuration file.
func mustConfigureSites(t *testing.T, folder, issuer string, sites []site) (path string) {
	t.Helper()
	root := filepath.Join(folder, "apache")
	if err := os.MkdirAll(filepath.Join(root, "pages", "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"index.html": "outside", "private/index.html": "the private page"} {
		if err := os.WriteFile(filepath.Join(root, "pages", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]any{
		"Root":         root,
		"Modules":      modules,
		"Issuer":       issuer,
		"ClientSecret": secret,
		"Sites":        sites,
		"User":         "",
	}
	if os.Getuid() == 0 { // Apache does not serve as root
		settings["User"] = "www-data"
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(root, "apache.conf")
	config, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer config.Close()
	if err := template.Must(template.ParseFiles("apachesites.conf.tmpl")).Execute(config, settings); err != nil {
		t.Fatal(err)
	}
	return path
}
