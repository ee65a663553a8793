package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *logBuffer) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *logBuffer) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// TestNoSecretReachesTheLogOrTheStore: a reader of the log, or of a copy of the store without its key file, can
// neither sign in nor call anything (ASVS 16.2.5, 14.2.1).
func TestNoSecretReachesTheLogOrTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		file := filepath.Join(t.TempDir(), "curfew.db")
		o := providertest.MustStartOn(t, bolt.Options{Path: file}, func(c *provider.Config) {
			c.Log = slog.New(
				web.LogHandler{Handler: slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})},
			)
			c.Registration.Mode = policy.RegistrationOpen
		})
		secrets := map[string]string{
			"password":      providertest.Password,
			"client secret": providertest.Secret,
			"PKCE verifier": providertest.Verifier,
		}
		keep := func(name, value string) string {
			if len(value) < 20 {
				t.Fatalf("got %q as %s", value, name)
			}
			secrets[name] = value
			return value
		}
		o.Clients.Answer(
			func(string, url.Values) (egress.Response, error) { return egress.Response{}, errors.New("broken") },
		)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		login := b.Get(providertest.AuthorizeURL("atlas", "scope", "openid offline_access", "prompt", "consent"))
		keep("sign-in handle", path.Base(login.Path))
		b.Submit(login, "username", "alice", "password", "wrong "+providertest.Password)
		consent := b.Submit(login, "username", "alice", "password", providertest.Password)
		code := keep("code", b.Submit(consent, "decision", "allow").ResponseParams(t).Get("code"))
		for name, value := range b.Cookies {
			keep(name, value)
		}
		a := o.Redeem("atlas", code)
		keep("access token", a.AccessToken)
		keep("refresh token", a.RefreshToken)
		hint := keep("ID token", a.IDToken)
		again := o.Token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}})
		keep("second refresh token", again.RefreshToken)
		o.Active("atlas", again.AccessToken)
		b.Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + again.AccessToken}})
		time.Sleep(time.Minute)
		o.Token("atlas", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}}) // reuse
		o.Redeem("atlas", code)
		o.Call("atlas", "/revoke", url.Values{"token": {again.AccessToken}})

		r := httptest.NewRequest(
			http.MethodPost,
			"/register",
			strings.NewReader(`{"redirect_uris":["https://mail.example/cb"]}`),
		)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		o.Provider.ServeHTTP(w, r)
		var made struct {
			Secret string `json:"client_secret"`
			Token  string `json:"registration_access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil {
			t.Fatal(err)
		}
		keep("registered secret", made.Secret)
		keep("registration access token", made.Token)
		var link struct{ URL string }
		if err := json.Unmarshal([]byte(o.MustAdmin(http.MethodPost, "/users/alice/reset-link", "{}").Body), &link); err != nil {
			t.Fatal(err)
		}
		keep("reset link", path.Base(link.URL))
		const fresh = "an even better horse battery"
		keep("new password", fresh)
		b.Submit(
			b.Get(strings.TrimPrefix(link.URL, providertest.Issuer)),
			"new-password",
			fresh,
			"repeat-password",
			fresh,
		)
		b.Get(providertest.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example/"))
		b.Get("/" + secrets["reset link"])
		b.Get("/reset//" + secrets["reset link"])
		time.Sleep(time.Hour)
		synctest.Wait()

		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, sent := range o.Clients.Sent() {
			keep("logout token "+strconv.Itoa(i), sent.Form.Get("logout_token"))
		}
		if secrets["logout token 0"] == "" || !strings.Contains(log.String(), `"path":"/reset/{link}"`) ||
			!bytes.Contains(stored, []byte("atlas")) {
			t.Fatal("got no logout token, log or store to search")
		}
		for name, value := range secrets {
			if strings.Contains(log.String(), value) {
				t.Errorf("got the %s in the log", name)
			}
			if hash := storage.HashOf(value); bytes.Contains(stored, []byte(value)) {
				t.Errorf("got the %s in the store", name)
			} else if strings.Contains(log.String(), hash.String()) {
				t.Errorf("got the hash of the %s in the log", name)
			}
		}
	})
}
