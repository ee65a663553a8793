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

// Each test named TestModule… checks the same things as one module of the OpenID Foundation's conformance suite
// (release 5.2.4). As the suite does, it acts as a client: it registers, signs a user in on the pages, and checks the
// responses. Some modules ask a person to look at a page. Their tests read the page's text and check its statement with
// requests.

// The response types of the plans: all, those with a code, with an access token, and with an ID token in the
// authorization response.
var (
	allResponseTypes = []string{
		"code",
		"id_token",
		"id_token token",
		"code id_token",
		"code token",
		"code id_token token",
	}
	codeResponseTypes        = []string{"code", "code id_token", "code token", "code id_token token"}
	accessTokenResponseTypes = []string{"code", "id_token token", "code id_token", "code token", "code id_token token"}
	idTokenResponseTypes     = []string{"id_token", "id_token token", "code id_token", "code id_token token"}
)

// suiteBase is the beginning of the suite's URLs.
const suiteBase = "https://suite.example/test/a/curfew"

// module is one run of one module in one variant, with its client and its browser.
type module struct {
	testing.TB       // names the variant in what it reports
	op               *providertest.Fixture
	web              *fakeWeb
	browser          *providertest.Browser
	client           *suiteClient
	responseType     string
	formPost         bool
	askedForPassword bool // for a password, in the last visit
}

// variant adds the name of the variant to messages.
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

// fakeWeb serves the documents of clients. It caches them as long as provider/egress does.
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
		w.cachedAt[uri] = time.Now()
		w.bodies[uri] = body
	}
	return w.bodies[uri], nil
}

// publish serves a document at a path of the suite and returns its URL.
func (m *module) publish(path, body string) string {
	m.web.Publish(suiteBase+path, body)
	return suiteBase + path
}

// suiteProvider starts a provider with open registration. The defaults of registration contain settings that the suite
// needs and does not send.
func suiteProvider(t *testing.T, configure func(*provider.Config)) (*providertest.Fixture, *fakeWeb) {
	t.Helper()
	var web *fakeWeb
	o := providertest.MustStart(t, func(c *provider.Config) {
		web = &fakeWeb{
			Clients:  c.Egress.(*providertest.Clients),
			cachedAt: map[string]time.Time{},
			bodies:   map[string][]byte{},
		}
		c.Egress = web
		c.Registration.Logo = true
		c.Registration.Mode = policy.RegistrationOpen
		c.Registration.Defaults = json.RawMessage(`{"require_pkce":false,"consent":"skip"}`)
		if configure != nil {
			configure(c)
		}
	})
	user := storage.User{
		Subject:       "sub-pat",
		Name:          "pat",
		Email:         "pat@example.org",
		EmailVerified: true,
		Password:      providertest.MustHashPassword(t),
		Created:       time.Now(),
		Updated:       time.Now(),
		Groups:        []string{"authors"},
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
	if err := o.Store.PutUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	return o, web
}

// runModule runs a module once for each response type, alternating between the default response mode and form_post.
// Response type code runs with both. Each run has an empty browser, and removes its client at the end as the suite
// does.
func runModule(t *testing.T, types []string, run func(*module)) {
	t.Helper()
	runVariants(t, types, false, nil, run)
}

// runEveryMode runs a module with both response modes of every response type.
func runEveryMode(t *testing.T, types []string, run func(*module)) {
	t.Helper()
	runVariants(t, types, true, nil, run)
}

// runVariants runs a module in its variants, with a provider that configure has changed.
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
					op:           &own,
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

// runOnce runs a module that has no variants.
func runOnce(t *testing.T, configure func(*provider.Config), run func(*module)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o, web := suiteProvider(t, configure)
		run(&module{TB: t, op: o, web: web, browser: o.Browser(), responseType: "code"})
	})
}

// includes reports whether the response type contains a value: code, token or id_token.
func (m *module) includes(value string) bool {
	return slices.Contains(strings.Fields(m.responseType), value)
}

// send sends a request that does not come from the browser.
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
	m.op.Provider.ServeHTTP(w, r)
	return providertest.Page{Status: w.Code, Header: w.Header(), Body: w.Body.String(), Path: target}
}

// mustJSON returns the JSON object in a response.
func (m *module) mustJSON(p providertest.Page) map[string]any {
	m.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(p.Body), &object); err != nil ||
		!strings.HasPrefix(p.Header.Get("Content-Type"), "application/json") {
		m.Fatalf("got %d %s %q from %s, want a JSON object", p.Status, p.Header.Get("Content-Type"), p.Body, p.Path)
	}
	return object
}

// discovery returns the OP's metadata.
func (m *module) discovery() map[string]any {
	m.Helper()
	return m.mustJSON(m.send(http.MethodGet, "/.well-known/openid-configuration", "", "", nil))
}

// supported returns a list in the OP's metadata.
func (m *module) supported(name string) []string {
	m.Helper()
	var list []string
	all, _ := m.discovery()[name].([]any)
	for _, value := range all {
		list = append(list, fmt.Sprint(value))
	}
	return list
}

// advance lets time pass.
func (m *module) advance(d time.Duration) { time.Sleep(d) }

// randomText returns n letters and digits, as in the suite's states and nonces.
func randomText(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	raw := make([]byte, n)
	rand.Read(raw)
	for i := range raw {
		raw[i] = letters[int(raw[i])%len(letters)]
	}
	return string(raw)
}

// longState returns a state of 128 characters with punctuation, for modules that check that state is returned
// unchanged.
func longState() string { return randomText(124) + "-._~" }

// queryOf returns the query of a registered redirect URI. Responses must keep it.
func queryOf(uri string) url.Values {
	u, err := url.Parse(uri)
	if err != nil {
		return nil
	}
	return u.Query()
}
