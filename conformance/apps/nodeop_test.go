package apps

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/conformance/need"
	"github.com/curfew-id/curfew/conformance/op"
)

// TestLogoutTravelsBothWaysWithNodeOIDCProvider: node-oidc-provider is the upstream. A user signs in there, and its
// back-channel logout ends the session at Curfew. The next sign-out at Curfew ends the session there.
func TestLogoutTravelsBothWaysWithNodeOIDCProvider(t *testing.T) {
	node := need.Program(t, "node")
	if _, err := os.Stat("nodeop/node_modules/oidc-provider"); err != nil {
		need.Missing(t, "oidc-provider is not here: run `npm ci` in conformance/apps/nodeop")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	port, err := op.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	upstream := "http://127.0.0.1:" + port
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	o, _ := mustProvideWith(t, ctx, map[string]any{"upstreams": map[string]any{"node": map[string]any{
		"name":         "Node",
		"issuer":       upstream,
		"client_id":    "curfew",
		"secret_file":  secretFile,
		"scopes":       []string{"openid", "profile"},
		"create_users": "any",
		"logout":       "always",
	}}})
	command := exec.CommandContext(ctx, node, "server.js")
	command.Dir = "nodeop"
	command.Env = append(os.Environ(), "ISSUER="+upstream, "PORT="+port, "CLIENT_SECRET="+secret, "CURFEW="+o.Issuer)
	mustRun(t, ctx, command, "127.0.0.1:"+port)
	const app = "http://127.0.0.1:1/cb"
	err = o.AddClient(ctx, map[string]any{
		"client_id":     "shop",
		"client_secret": secret,
		"redirect_uris": []string{app},
		"consent":       "skip",
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &upstreamBrowser{t: t, app: app, client: &http.Client{Jar: jar, CheckRedirect: noRedirect}}
	authorize := o.Issuer + "/authorize?" + url.Values{
		"client_id":     {"shop"},
		"redirect_uri":  {app},
		"response_type": {"code"},
		"scope":         {"openid"},
		"nonce":         {"n"},
	}.Encode()

	b.mustSignIn(authorize)
	// The user signs out at the upstream. Its logout token is verified, so the session here ends.
	b.get(upstream + "/session/end")
	b.submit("logout", "yes")
	for b.get(authorize + "&prompt=none"); !strings.Contains(b.at, "login_required"); b.get(authorize + "&prompt=none") {
		select {
		case <-ctx.Done():
			t.Fatalf("got %s, want login_required after the logout at the upstream\n%s", b.at, o.Log.String())
		case <-time.After(100 * time.Millisecond): // a real process
		}
	}
	trail, err := o.Run(ctx, "", "audit", "--kind", "session.ended", "-o", "json")
	if err != nil || !strings.Contains(trail, `"reason":"upstream_logout"`) {
		t.Errorf("got %v and trail %q, want the reason upstream_logout", err, trail)
	}

	// The user signs out here. The browser goes to the upstream, confirms there, and comes back.
	b.mustSignIn(authorize)
	b.get(o.Issuer + "/end_session")
	b.submit("scope", "session")
	if !strings.HasPrefix(b.at, upstream+"/session/end") {
		t.Fatalf("got %s, want the logout page of the upstream:\n%s", b.at, b.body)
	}
	b.submit("logout", "yes")
	if !strings.HasPrefix(b.at, o.Issuer+"/signed-out/") {
		t.Errorf("got %s, want the signed-out page:\n%s", b.at, b.body)
	}
	b.get(authorize)
	b.click("upstream-node")
	if !strings.Contains(b.body, `name="login"`) {
		t.Errorf("got %s, want the sign-in page of the upstream, where no session is left:\n%s", b.at, b.body)
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// upstreamBrowser visits pages of two providers. It follows redirects until one leads to the app.
type upstreamBrowser struct {
	t      *testing.T
	client *http.Client
	app    string
	at     string // the URL of the page
	body   string
}

// mustSignIn signs in with an account of the upstream.
func (b *upstreamBrowser) mustSignIn(authorize string) {
	b.t.Helper()
	b.get(authorize)
	b.click("upstream-node")
	b.submit("login", "grace", "password", "any")
	b.submit()
	if !strings.HasPrefix(b.at, b.app) || !strings.Contains(b.at, "code=") {
		b.t.Fatalf("got %s, want a code for the app:\n%s", b.at, b.body)
	}
}

func (b *upstreamBrowser) get(address string) {
	b.t.Helper()
	b.do(http.MethodGet, address, nil)
}

func (b *upstreamBrowser) do(method, address string, form url.Values) {
	b.t.Helper()
	for range 20 {
		b.at = address
		if strings.HasPrefix(address, b.app) {
			return
		}
		r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			b.t.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		response, err := b.client.Do(r)
		page, err := readPage(response, err)
		if err != nil {
			b.t.Fatal(err)
		}
		b.body = page
		next, err := response.Location()
		if err != nil {
			return
		}
		method, address, form = http.MethodGet, next.String(), nil
	}
	b.t.Fatalf("got too many redirects, the last to %s", address)
}

var (
	formPattern   = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)".*?</form>`)
	inputPattern  = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	anchorPattern = regexp.MustCompile(`<a[^>]*>`)
)

// submit sends the first form of the page with its hidden fields and more, as pairs.
func (b *upstreamBrowser) submit(more ...string) {
	b.t.Helper()
	form := formPattern.FindStringSubmatch(b.body)
	if form == nil {
		b.t.Fatalf("got no form at %s:\n%s", b.at, b.body)
	}
	fields := url.Values{}
	for _, input := range inputPattern.FindAllString(form[0], -1) {
		fields.Set(attribute(input, "name"), attribute(input, "value"))
	}
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	b.do(http.MethodPost, b.absolute(form[1]), fields)
}

// click opens the link with that id.
func (b *upstreamBrowser) click(id string) {
	b.t.Helper()
	for _, anchor := range anchorPattern.FindAllString(b.body, -1) {
		if attribute(anchor, "id") == id {
			b.get(b.absolute(attribute(anchor, "href")))
			return
		}
	}
	b.t.Fatalf("got no link %s at %s:\n%s", id, b.at, b.body)
}

func (b *upstreamBrowser) absolute(link string) string {
	base, err := url.Parse(b.at)
	if err != nil {
		b.t.Fatal(err)
	}
	u, err := base.Parse(link)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.String()
}

// attribute returns the value of an attribute of a tag.
func attribute(tag, name string) string {
	_, rest, _ := strings.Cut(tag, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// readPage returns the body of a response.
func readPage(response *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
