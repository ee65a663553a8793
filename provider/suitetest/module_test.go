package suitetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// Each test named TestModule… keeps what one module of the OpenID Foundation's conformance suite (release 5.2.4)
// fails on or warns about. The suite is a relying party here: it registers its client, signs a user in by the pages,
// and judges what comes back. Where a module only asks somebody to look at a page, the page's text is read, and what
// it says is proved by protocol.

// The response types of the plans.
var (
	everyType   = []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
	codeTypes   = []string{"code", "code id_token", "code token", "code id_token token"}
	accessTypes = []string{"code", "id_token token", "code id_token", "code token", "code id_token token"}
	nonceTypes  = []string{"id_token", "id_token token", "code id_token", "code id_token token"}
)

// suiteBase is where the suite's URLs begin.
const suiteBase = "https://suite.example/test/a/curfew"

// module is a run of one module as one variant: its client, its browser, its user.
type module struct {
	testing.TB    // names the variant in what it reports
	o             *providertest.Fixture
	web           *fakeWeb
	browser       *providertest.Browser
	client        *suiteClient
	responseType  string
	formPost      bool
	passwordAsked bool // for a password, in the last visit
}

// variant says which variant failed.
type variant struct {
	testing.TB
	name string
}

func (v variant) Errorf(format string, args ...any) {
	v.Helper()
	v.TB.Errorf("%s: "+format, append([]any{v.name}, args...)...)
}

func (v variant) Fatalf(format string, args ...any) {
	v.Helper()
	v.TB.Fatalf("%s: "+format, append([]any{v.name}, args...)...)
}

// fakeWeb is what relying parties publish, cached as long as provider/egress caches it.
type fakeWeb struct {
	*providertest.Clients
	mu       sync.Mutex
	cachedAt map[string]time.Time
	bodies   map[string][]byte
	fetched  []string
}

func (w *fakeWeb) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return w.FetchBytes(ctx, uri, maxBytes, maxAge)
}

func (w *fakeWeb) FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	uri, _, _ = strings.Cut(uri, "#") // a fragment is not sent
	if at, ok := w.cachedAt[uri]; !ok || time.Since(at) >= max(maxAge, time.Minute) {
		w.fetched = append(w.fetched, uri)
		body, err := w.Clients.FetchBytes(ctx, uri, maxBytes, maxAge)
		if err != nil {
			return nil, err
		}
		w.cachedAt[uri], w.bodies[uri] = time.Now(), body
	}
	return w.bodies[uri], nil
}

// publish puts a document on the suite's web and returns its URL.
func (m *module) publish(path, body string) string {
	m.web.Publish(suiteBase+path, body)
	return suiteBase + path
}

// suiteProvider starts a provider as the suite needs it: registration for all, with the choices that its plain
// metadata cannot ask for.
func suiteProvider(t *testing.T, configure func(*provider.Config)) (*providertest.Fixture, *fakeWeb) {
	t.Helper()
	var web *fakeWeb
	o := providertest.MustStart(t, func(c *provider.Config) {
		web = &fakeWeb{
			Clients:  c.Egress.(*providertest.Clients),
			cachedAt: map[string]time.Time{},
			bodies:   map[string][]byte{},
		}
		c.Egress, c.Registration.Logo = web, true
		c.Registration.Mode, c.Registration.Defaults = policy.RegistrationOpen, json.RawMessage(
			`{"require_pkce":false,"consent":"skip"}`,
		)
		if configure != nil {
			configure(c)
		}
	})
	person := storage.User{
		Subject:       "sub-pat",
		Name:          "pat",
		Email:         "pat@example.org",
		EmailVerified: true,
		Password:      providertest.MustHashPassword(t),
		Created:       time.Now(),
		Updated:       time.Now(),
		Claims: map[string]any{
			"name":        "Pat Quill",
			"given_name":  "Pat",
			"family_name": "Quill",
			"middle_name": "Q",
			"nickname":    "patq",
			"profile":     "https://people.example/pat",
			"picture":     "https://people.example/pat.png",
			"website":     "https://pat.example/",
			"gender":      "female",
			"birthdate":   "1987-10-16",
			"zoneinfo":    "Europe/Zurich",
			"locale":      "de-CH",
			"address": map[string]any{
				"formatted":      "Hauptstrasse 1\n8000 Zürich",
				"street_address": "Hauptstrasse 1",
				"locality":       "Zürich",
				"region":         "ZH",
				"postal_code":    "8000",
				"country":        "Schweiz",
			},
			"phone_number":          "+41 44 555 66 77",
			"phone_number_verified": true,
		},
	}
	if err := o.Store.PutUser(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	return o, web
}

// runModule runs a module once for each response type, code by both response modes and the others by their own and
// form_post in turn. Each run has an empty browser; the client that it registers is removed as the suite removes it.
func runModule(t *testing.T, types []string, run func(*module)) {
	t.Helper()
	runVariants(t, types, false, nil, run)
}

// runEveryMode is runModule with both response modes of every response type.
func runEveryMode(t *testing.T, types []string, run func(*module)) {
	t.Helper()
	runVariants(t, types, true, nil, run)
}

func runVariants(t *testing.T, types []string, everyMode bool, configure func(*provider.Config), run func(*module)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o, web := suiteProvider(t, configure)
		for i, responseType := range types {
			for _, formPost := range []bool{false, true} {
				if !everyMode && responseType != "code" && formPost != (i%2 == 0) {
					continue
				}
				name := responseType
				if formPost {
					name += ", form_post"
				}
				own := *o
				own.T = variant{t, name}
				m := &module{
					TB:           own.T,
					o:            &own,
					web:          web,
					browser:      own.Browser(),
					responseType: responseType,
					formPost:     formPost,
				}
				clear(web.cachedAt)
				web.fetched = nil
				run(m)
				if m.client != nil {
					m.unregister(m.client)
				}
			}
		}
	})
}

// runOnce runs a module that knows no variants.
func runOnce(t *testing.T, configure func(*provider.Config), run func(*module)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o, web := suiteProvider(t, configure)
		run(&module{TB: t, o: o, web: web, browser: o.Browser(), responseType: "code"})
	})
}

// includes reports whether the response type has a word: code, token or id_token.
func (m *module) includes(word string) bool {
	return slices.Contains(strings.Fields(m.responseType), word)
}

// send sends what is not a browser's request.
func (m *module) send(method, target, contentType, body string, header http.Header) providertest.Page {
	r := httptest.NewRequest(method, strings.TrimPrefix(target, providertest.Issuer), strings.NewReader(body))
	r.RemoteAddr = "192.0.2.8:4711"
	for name, values := range header {
		r.Header[name] = values
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	m.o.Provider.ServeHTTP(w, r)
	return providertest.Page{Status: w.Code, Header: w.Header(), Body: w.Body.String(), Path: target}
}

// mustJSON reads a JSON object.
func (m *module) mustJSON(p providertest.Page) map[string]any {
	m.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(p.Body), &object); err != nil ||
		!strings.HasPrefix(p.Header.Get("Content-Type"), "application/json") {
		m.Fatalf("got %d %s %q from %s, want a JSON object", p.Status, p.Header.Get("Content-Type"), p.Body, p.Path)
	}
	return object
}

// discovery is the OP's metadata.
func (m *module) discovery() map[string]any {
	m.Helper()
	return m.mustJSON(m.send(http.MethodGet, "/.well-known/openid-configuration", "", "", nil))
}

// supported reads a list of the OP's metadata.
func (m *module) supported(name string) []string {
	m.Helper()
	var list []string
	all, _ := m.discovery()[name].([]any)
	for _, one := range all {
		list = append(list, fmt.Sprint(one))
	}
	return list
}

// advance lets time pass.
func (m *module) advance(d time.Duration) { time.Sleep(d) }

// randomText is text of letters and digits, as the suite makes its states and nonces.
func randomText(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	raw := make([]byte, n)
	rand.Read(raw)
	for i := range raw {
		raw[i] = letters[int(raw[i])%len(letters)]
	}
	return string(raw)
}

// longState is the state of modules that look whether it survives: 128 characters with punctuation.
func longState() string { return randomText(124) + "-._~" }

// keep is what the query of a registered redirect URI has, which answers must keep.
func keep(uri string) url.Values {
	u, err := url.Parse(uri)
	if err != nil {
		return nil
	}
	return u.Query()
}
