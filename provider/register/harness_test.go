package register_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// fixture is dynamic registration on a real store.
type fixture struct {
	t       testing.TB
	store   *bolt.Store
	handler *register.Handler
	mux     *http.ServeMux
	web     *providertest.Clients
	clock   *providertest.Clock
}

func mustStart(t testing.TB, mode, defaults string) *fixture {
	t.Helper()
	o := &fixture{
		t:     t,
		store: providertest.MustOpenStore(t),
		web:   &providertest.Clients{},
		clock: providertest.NewClock(),
	}
	now := o.clock.Now
	quiet := slog.New(slog.DiscardHandler)
	wrap := func(client string, secret []byte) ([]byte, error) { return fmt.Appendf(nil, "wrapped %s", client), nil }
	o.handler = &register.Handler{
		Issuer: "https://op.example",
		Policy: policy.Registration{Mode: mode, Defaults: []byte(defaults)},
		Registrar: &register.Registrar{
			Policy:     register.Policy{Implicit: true},
			Fetch:      o.web,
			SelfFetch:  o.web,
			WrapSecret: wrap,
			Now:        now,
		},
		Store:      o.store,
		Terminator: &logout.Terminator{Store: o.store, Now: now, Issuer: "https://op.example", Log: quiet},
		Log:        quiet,
	}
	o.mux = http.NewServeMux()
	o.mux.HandleFunc("POST "+register.Path, o.handler.Register)
	o.mux.HandleFunc("GET "+register.ClientPath, o.handler.Read)
	o.mux.HandleFunc("PUT "+register.ClientPath, o.handler.Update)
	o.mux.HandleFunc("DELETE "+register.ClientPath, o.handler.Remove)
	return o
}

func (o *fixture) do(method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	o.mux.ServeHTTP(w, r)
	return w
}

// clientInfo is what a client learns.
type clientInfo struct {
	storage.Metadata
	Secret        string `json:"client_secret"`
	SecretExpires *int64 `json:"client_secret_expires_at"`
	Issued        int64  `json:"client_id_issued_at"`
	Token         string `json:"registration_access_token"`
	URI           string `json:"registration_client_uri"`
}

func (o *fixture) must(status int, method, target, token, body string) clientInfo {
	o.t.Helper()
	w := o.do(method, target, token, body)
	if w.Code != status {
		o.t.Fatalf("%s %s %s: got %d %s, want %d", method, target, body, w.Code, w.Body, status)
	}
	var c clientInfo
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		o.t.Fatalf("read %s: %v", w.Body, err)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		o.t.Errorf("got headers %v, want JSON that is not stored (RFC 7591 §3.2.1)", w.Header())
	}
	return c
}

func (o *fixture) mustRefuse(status int, code, method, target, token, body string) string {
	o.t.Helper()
	w := o.do(method, target, token, body)
	var refusal struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || w.Code != status || refusal.Code != code {
		o.t.Errorf("%s %s %.200s: got %d %s, want %d %s", method, target, body, w.Code, w.Body, status, code)
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		o.t.Errorf("%s %s: got no challenge (RFC 6750 §3)", method, target)
	}
	for _, r := range refusal.Text {
		if r < ' ' || r > '~' {
			o.t.Errorf("%s %s: got %q, want ASCII (RFC 7591 §3.2.2)", method, target, refusal.Text)
			break
		}
	}
	return refusal.Text
}

// managementPath is the path of a registration_client_uri.
func managementPath(uri string) string { return strings.TrimPrefix(uri, "https://op.example") }

const minimalMetadata = `{"redirect_uris":["https://rp.example/cb"]}`
