package register_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// TestRefusedRegistrationsUseUpNoQuota: a stranger who sends what is refused must not close registration for the
// others. What is accepted counts, and changes count apart from registrations.
func TestRefusedRegistrationsUseUpNoQuota(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Policy.PerDay = 3
	const good, bad = `{"redirect_uris":["https://rp.example/cb"]}`, `{"redirect_uris":["http://rp.example/cb"]}`
	c := o.must(http.StatusCreated, "POST", "/register", "", good)
	change := func(n int) string {
		return fmt.Sprintf(`{"client_id":%q,"redirect_uris":["https://rp.example/%d"]}`, c.ClientID, n)
	}
	o.mustInitialToken("suite", "initial", "", -1)
	for range 100 {
		o.do("POST", "/register", "", bad)
		o.do("POST", "/register", "", "{}")
		o.do("PUT", "/register/"+c.ClientID, c.Token, "{}")
	}
	for range 2 {
		o.must(http.StatusCreated, "POST", "/register", "", good)
	}
	o.mustRefuse(http.StatusTooManyRequests, "temporarily_unavailable", "POST", "/register", "", good)
	for n := range 3 {
		o.must(http.StatusOK, "PUT", "/register/"+c.ClientID, c.Token, change(n))
	}
	o.mustRefuse(
		http.StatusTooManyRequests,
		"temporarily_unavailable",
		"PUT",
		"/register/"+c.ClientID,
		c.Token,
		change(4),
	)
	o.must(http.StatusCreated, "POST", "/register", "initial", good)
	if w := o.do("DELETE", "/register/"+c.ClientID, c.Token, ""); w.Code != http.StatusNoContent {
		t.Errorf("got %d, want a client let go all the same", w.Code)
	}
	o.clock.Advance(24 * time.Hour)
	o.must(http.StatusCreated, "POST", "/register", "", good)
}

func TestRegistrationIsOffUnlessSwitchedOn(t *testing.T) {
	for _, mode := range []string{"", policy.RegistrationOff} {
		if w := mustStart(t, mode, "").do("POST", "/register", "", minimalMetadata); w.Code != http.StatusNotFound {
			t.Errorf("mode %q: got %d, want 404", mode, w.Code)
		}
	}
}

// What oidcc-registration-… and the other modules read in the answer.
func TestAnswerHasWhatTheConformanceSuiteReads(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"client_name":"RP","initiate_login_uri":"https://rp.example/start","unknown_member":{"a":1}}`,
	)
	if c.ClientID == "" || len(c.Secret) < 43 || c.SecretExpires == nil || *c.SecretExpires != 0 ||
		c.Issued != o.clock.Now().Unix() {
		t.Errorf("got %+v, want client_id, client_secret, client_secret_expires_at 0 and client_id_issued_at", c)
	}
	if c.URI != "https://op.example/register/"+c.ClientID || c.Token == "" {
		t.Errorf("got %s and token %q, want both of RFC 7592 §3", c.URI, c.Token)
	}
	if c.InitiateLoginURI != "https://rp.example/start" || c.TokenEndpointAuthMethod != "client_secret_basic" ||
		c.IDTokenSignedResponseAlg != "RS256" ||
		len(c.GrantTypes) != 1 {
		t.Errorf("got %+v, want all metadata with their defaults", c.Metadata)
	}
	if c.RequirePKCE != nil || c.Consent != "" {
		t.Errorf("got require_pkce %v and consent %q, want the strict defaults", c.RequirePKCE, c.Consent)
	}
	stored, err := o.store.Client(t.Context(), c.ClientID)
	if err != nil || !stored.Dynamic || stored.SecretHash != storage.HashOf(c.Secret) ||
		stored.RegistrationToken != storage.HashOf(c.Token) {
		t.Errorf("got %+v (%v), want only hashes of secret and token", stored, err)
	}
	if public := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"none"}`); public.Secret != "" ||
		public.SecretExpires != nil {
		t.Errorf("got %+v, want no secret for a public client", public)
	}
}

func TestBadMetadataEarnsTheRegisteredCodes(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	for _, c := range []struct{ code, body string }{
		{
			register.InvalidRedirectURI,
			`{"redirect_uris":["https://rp.example/cb#fragment"]}`,
		}, // oidcc-redirect-uri-regfrag
		{register.InvalidRedirectURI, `{}`},
		{
			register.InvalidMetadata,
			`{"redirect_uris":["https://rp.example/cb"],"initiate_login_uri":"http://rp.example/start"}`,
		}, // oidcc-3rdparty-init-login-nohttps
		{register.InvalidMetadata, `{"redirect_uris":["https://rp.example/cb"],"response_types":["token"]}`},
		{register.InvalidMetadata, `{"redirect_uris":"https://rp.example/cb"}`},
		{register.InvalidMetadata, `[]`},
		{register.InvalidMetadata, `{`},
	} {
		o.mustRefuse(400, c.code, "POST", "/register", "", c.body)
	}
	o.mustRefuse(
		413,
		register.InvalidMetadata,
		"POST",
		"/register",
		"",
		`{"client_name":"`+strings.Repeat("a", 32<<10)+`"}`,
	)
	r := httptest.NewRequest("POST", "/register", strings.NewReader("redirect_uris=https://rp.example/cb"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	o.mux.ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("got %d for a form, want 415", w.Code)
	}
}

// oidcc-registration-sector-uri and oidcc-registration-sector-bad
func TestSectorIdentifierHasToListTheRedirectURIs(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	const body = `{"redirect_uris":["https://a.example/cb","https://b.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"https://sector.example/list"}`
	if text := o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body); strings.Contains(
		text,
		"10.0.0.7",
	) {
		t.Errorf("got %q, which maps our network", text)
	}
	o.web.Publish("https://sector.example/list", `["https://a.example/cb"]`)
	o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body)
	o.web.Publish("https://sector.example/list", `{"redirect_uris":["https://a.example/cb","https://b.example/cb"]}`)
	o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body)
	o.web.Publish(
		"https://sector.example/list",
		`["https://b.example/cb","https://c.example/cb","https://a.example/cb"]`,
	)
	c := o.must(201, "POST", "/register", "", body)
	if stored, _ := o.store.Client(t.Context(), c.ClientID); stored.SectorHost != "sector.example" {
		t.Errorf("got sector %q, want sector.example", stored.SectorHost)
	}
	o.handler.Registrar.Fetch = noFetch{t}
	o.must(
		200,
		"PUT",
		managementPath(c.URI),
		c.Token,
		strings.Replace(body, "{", `{"client_id":"`+c.ClientID+`","client_name":"Both",`, 1),
	)
	one := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://A.example/cb","https://a.example/other"],"subject_type":"pairwise"}`,
	)
	if stored, _ := o.store.Client(t.Context(), one.ClientID); stored.SectorHost != "a.example" {
		t.Errorf("got sector %q, want the one host of the redirect URIs", stored.SectorHost)
	}
}

func TestNothingButTheSectorIsFetchedAtRegistration(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Registrar.Fetch = noFetch{t}
	o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"jwks_uri":"https://rp.example/jwks","token_endpoint_auth_method":"private_key_jwt",
		"logo_uri":"https://rp.example/logo.png","policy_uri":"https://rp.example/policy","request_uris":["https://rp.example/request#hash"],
		"initiate_login_uri":"https://rp.example/start","backchannel_logout_uri":"https://rp.example/bcl","frontchannel_logout_uri":"https://rp.example/fcl"}`,
	)
}

type noFetch struct{ t *testing.T }

func (n noFetch) FetchJSON(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	n.t.Errorf("%s was fetched", uri)
	return nil, errors.New("no")
}

func TestStrangerCannotTakeWhatOnlyAnOperatorGives(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	for _, body := range []string{
		`{"redirect_uris":["https://rp.example/cb"],"client_id":"mail","client_secret":"0123456789012345678901234567890123456789","require_pkce":false,"consent":"skip","audience":["https://bank.example"],"backend_logout":"session","logout_scope":"all"}`,
		`{"redirect_uris":["https://rp.example/cb"],"Client_ID":"mail","REQUIRE_PKCE":false,"Consent":"skip","Audience":["https://bank.example"],"Backend_logout":"session","Logout_Scope":"everywhere","dynamic":false,"disabled":false,"secret_hash":"AAAA"}`,
		`{"redirect_uris":["https://rp.example/cb"],"require_pkce":null,"consent":null,"\u0063onsent":"skip"}`,
	} {
		c := o.must(201, "POST", "/register", "", body)
		if c.ClientID == "mail" || c.Secret == "0123456789012345678901234567890123456789" {
			t.Errorf("got %q, want an id and a secret of our own", c.ClientID)
		}
		if c.RequirePKCE != nil || c.Consent != "" || c.Audience != nil || c.BackendLogout != "" ||
			c.LogoutScope != "" {
			t.Errorf("%s: got %+v, want the strict defaults", body, c.Metadata)
		}
	}
	strict := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"require_pkce":true,"consent":"ask","session_expiry":600,"logout_token_typ":"JWT"}`,
	)
	if strict.RequirePKCE == nil || !*strict.RequirePKCE || strict.SessionExpiry != 600 ||
		strict.LogoutTokenTyp != "JWT" {
		t.Errorf("got %+v, want what it may say about itself", strict.Metadata)
	}
}

func TestOpenSettingGivesItsDefaultsToPlainMetadataOnly(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, `{"require_pkce":false,"consent":"skip","check_session":true}`)
	c := o.must(201, "POST", "/register", "", minimalMetadata)
	if c.RequirePKCE == nil || *c.RequirePKCE || c.Consent != "skip" || !c.CheckSession {
		t.Errorf("got %+v, want the defaults", c.Metadata)
	}
	c = o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"require_pkce":true,"consent":"ask","check_session":false}`,
	)
	if !*c.RequirePKCE || c.Consent != "ask" || c.CheckSession {
		t.Errorf("got %+v, want the stricter wishes kept", c.Metadata)
	}
	c = o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"none"}`,
	)
	if c.RequirePKCE != nil {
		t.Error("a public client was let off PKCE")
	}
}

func TestGrantTypesThatWeLackAreLeftOutBesideOneThatWeHave(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code","refresh_token"]}`,
	)
	if got := strings.Join(c.GrantTypes, " "); got != "authorization_code refresh_token" {
		t.Errorf("got grant types %q", got)
	}
	o.mustRefuse(
		400,
		register.InvalidMetadata,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"grant_types":["password"]}`,
	)
}

func TestLogoIsLeftOutUnlessAllowed(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	const body = `{"redirect_uris":["https://rp.example/cb"],"logo_uri":"https://rp.example/logo.png"}`
	if c := o.must(201, "POST", "/register", "", body); c.LogoURI != "" {
		t.Errorf("got logo %q, want none", c.LogoURI)
	}
	o.handler.Policy.Logo = true
	if c := o.must(201, "POST", "/register", "", body); c.LogoURI == "" {
		t.Error("got no logo although it is allowed")
	}
}

// TestStrangersCannotFillTheStore: neither many clients nor large ones, while callers with an operator's token go on.
func TestStrangersCannotFillTheStore(t *testing.T) {
	large := fmt.Sprintf(`{"redirect_uris":["https://rp.example/%s"]}`, strings.Repeat("a", 1500))
	for name, test := range map[string]struct {
		policy policy.Registration
		body   string
	}{
		"clients": {policy.Registration{MaxClients: 2}, minimalMetadata},
		"bytes":   {policy.Registration{MaxTotalBytes: 5_000}, large},
	} {
		o := mustStart(t, policy.RegistrationOpen, "")
		test.policy.Mode = policy.RegistrationOpen
		o.handler.Policy = test.policy
		c := o.must(http.StatusCreated, "POST", "/register", "", test.body)
		o.must(http.StatusCreated, "POST", "/register", "", test.body)
		text := o.mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "POST", "/register", "", test.body)
		if !strings.Contains(text, "room") {
			t.Errorf("%s: got %q, want the reason", name, text)
		}
		o.mustInitialToken("suite", "initial", "", -1)
		o.must(http.StatusCreated, "POST", "/register", "initial", test.body)
		if w := o.do("DELETE", "/register/"+c.ClientID, c.Token, ""); w.Code != http.StatusNoContent {
			t.Errorf("%s: got %d for a removal, want 204", name, w.Code)
		}
	}
}

// failingStore is a store whose errors must not reach callers.
type failingStore struct{ *bolt.Store }

func (failingStore) RegisterClient(context.Context, storage.Client, storage.Hash, time.Time, ...storage.Event) error {
	return errors.New("page 17 of /var/lib/curfew/curfew.db")
}

func TestUnknownErrorSaysNothing(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Store = failingStore{o.store}
	if text := o.mustRefuse(500, "server_error", "POST", "/register", "", minimalMetadata); text != "" {
		t.Errorf("got %q, want no word", text)
	}
}
