package signin_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestScopeThatIsNotGrantedIsVisible: in the log, with the client, and in the token response, which names what was
// granted (RFC 6749 §5.1). offline_access needs prompt=consent (Core §11) and a client that may hold it.
func TestScopeThatIsNotGrantedIsVisible(t *testing.T) {
	var log bytes.Buffer
	f := providertest.MustStart(t, func(c *provider.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	f.MustAddClient("atlas", func(m *storage.Metadata) { m.Scope = "" })
	f.MustAddClient("bound", func(m *storage.Metadata) { m.RefreshTokens, m.Scope = "session", "" })
	f.MustAddClient("narrow", func(m *storage.Metadata) { m.Scope = "openid orders:read" })
	for _, c := range []struct {
		client, scope, prompt string
		granted, notGranted   string
	}{
		{"atlas", "openid offline_access", "", "openid", "offline_access"},
		{"atlas", "openid offline_access", "consent", "openid offline_access", ""},
		{"atlas", "openid orders:read", "", "openid", "orders:read"},
		{"bound", "openid offline_access", "consent", "openid", "offline_access"},
		{"narrow", "openid email orders:read orders:write", "", "openid orders:read", "email orders:write"},
	} {
		log.Reset()
		code := f.Browser().MustSignIn("alice", c.client, "scope", c.scope, "prompt", c.prompt).Get("code")
		page := f.Call(c.client, "/token", url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {code},
			"redirect_uri":  {"https://" + c.client + ".example/cb"},
			"code_verifier": {providertest.Verifier},
		})
		var response struct {
			Scope string `json:"scope"`
		}
		if err := json.Unmarshal([]byte(page.Body), &response); err != nil || response.Scope != c.granted {
			t.Errorf("%s, %s: got %s, %v, want scope %q", c.client, c.scope, page.Body, err, c.granted)
		}
		want := "client=" + c.client + " scope=" + c.notGranted
		if strings.Contains(c.notGranted, " ") {
			want = "client=" + c.client + ` scope="` + c.notGranted + `"`
		}
		got := log.String()
		if isLogged := strings.Contains(got, `msg="scope not granted"`); isLogged != (c.notGranted != "") {
			t.Errorf("%s, %s: got a log line %v:\n%s", c.client, c.scope, isLogged, got)
		} else if isLogged && !strings.Contains(got, want) {
			t.Errorf("%s, %s: got no %q in the log:\n%s", c.client, c.scope, want, got)
		}
	}
}
