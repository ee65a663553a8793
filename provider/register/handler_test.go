package register_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// office is dynamic registration on a real store.
type office struct {
	t     *testing.T
	store *bolt.Store
	h     *register.Handler
	mux   *http.ServeMux
	files pagesAtHand
	now   time.Time
}

// pagesAtHand are the documents that relying parties publish.
type pagesAtHand map[string]string

func (p pagesAtHand) FetchJSON(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	if body, ok := p[uri]; ok {
		return []byte(body), nil
	}
	return nil, errors.New("10.0.0.7 is not a public address")
}

func mustOffice(t *testing.T, mode register.Mode, defaults string) *office {
	t.Helper()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &office{t: t, store: store, files: pagesAtHand{}, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	now := func() time.Time { return o.now }
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	wrap := func(client string, secret []byte) ([]byte, error) { return fmt.Appendf(nil, "wrapped %s", client), nil }
	o.h = &register.Handler{
		Issuer: "https://op.example", Mode: mode, Defaults: []byte(defaults), Registrar: &register.Registrar{Fetch: o.files, Wrap: wrap, Now: now},
		Store: store, Ender: &logout.Ender{Store: store, Now: now, Issuer: "https://op.example", Log: quiet}, Log: quiet,
	}
	o.mux = http.NewServeMux()
	o.mux.HandleFunc("POST "+register.Path, o.h.Register)
	o.mux.HandleFunc("GET "+register.ClientPath, o.h.Read)
	o.mux.HandleFunc("PUT "+register.ClientPath, o.h.Update)
	o.mux.HandleFunc("DELETE "+register.ClientPath, o.h.Remove)
	return o
}

func (o *office) do(method, target, token, body string) *httptest.ResponseRecorder {
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

// registered is what a client learns.
type registered struct {
	storage.Metadata
	Secret        string `json:"client_secret"`
	SecretExpires *int64 `json:"client_secret_expires_at"`
	Issued        int64  `json:"client_id_issued_at"`
	Token         string `json:"registration_access_token"`
	URI           string `json:"registration_client_uri"`
}

func (o *office) must(status int, method, target, token, body string) registered {
	o.t.Helper()
	w := o.do(method, target, token, body)
	if w.Code != status {
		o.t.Fatalf("%s %s %s: got %d %s, want %d", method, target, body, w.Code, w.Body, status)
	}
	var c registered
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		o.t.Fatalf("read %s: %v", w.Body, err)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		o.t.Errorf("got headers %v, want JSON that is not stored (RFC 7591 §3.2.1)", w.Header())
	}
	return c
}

func (o *office) mustRefuse(status int, code, method, target, token, body string) string {
	o.t.Helper()
	w := o.do(method, target, token, body)
	var told struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != status || told.Code != code {
		o.t.Errorf("%s %s %.200s: got %d %s, want %d %s", method, target, body, w.Code, w.Body, status, code)
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		o.t.Errorf("%s %s: got no challenge (RFC 6750 §3)", method, target)
	}
	for _, r := range told.Text {
		if r < ' ' || r > '~' {
			o.t.Errorf("%s %s: got %q, want ASCII (RFC 7591 §3.2.2)", method, target, told.Text)
			break
		}
	}
	return told.Text
}

// path is the path of a registration_client_uri.
func path(uri string) string { return strings.TrimPrefix(uri, "https://op.example") }

const plain = `{"redirect_uris":["https://rp.example/cb"]}`

func TestRegistrationIsOffUnlessSwitchedOn(t *testing.T) {
	for _, mode := range []register.Mode{"", register.Off} {
		if w := mustOffice(t, mode, "").do("POST", "/register", "", plain); w.Code != http.StatusNotFound {
			t.Errorf("mode %q: got %d, want 404", mode, w.Code)
		}
	}
}

// What oidcc-registration-… and the other modules read in the answer.
func TestAnswerHasWhatTheConformanceSuiteReads(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	c := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"client_name":"RP","initiate_login_uri":"https://rp.example/start","unknown_member":{"a":1}}`)
	if c.ClientID == "" || len(c.Secret) < 43 || c.SecretExpires == nil || *c.SecretExpires != 0 || c.Issued != o.now.Unix() {
		t.Errorf("got %+v, want client_id, client_secret, client_secret_expires_at 0 and client_id_issued_at", c)
	}
	if c.URI != "https://op.example/register/"+c.ClientID || c.Token == "" {
		t.Errorf("got %s and token %q, want both of RFC 7592 §3", c.URI, c.Token)
	}
	if c.InitiateLoginURI != "https://rp.example/start" || c.TokenEndpointAuthMethod != "client_secret_basic" || c.IDTokenSignedResponseAlg != "RS256" || len(c.GrantTypes) != 1 {
		t.Errorf("got %+v, want all metadata with their defaults", c.Metadata)
	}
	if c.RequirePKCE != nil || c.Consent != "" {
		t.Errorf("got require_pkce %v and consent %q, want the strict defaults", c.RequirePKCE, c.Consent)
	}
	stored, err := o.store.Client(t.Context(), c.ClientID)
	if err != nil || !stored.Dynamic || stored.SecretHash != storage.HashOf(c.Secret) || stored.RegistrationToken != storage.HashOf(c.Token) {
		t.Errorf("got %+v (%v), want only hashes of secret and token", stored, err)
	}
	if public := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"none"}`); public.Secret != "" || public.SecretExpires != nil {
		t.Errorf("got %+v, want no secret for a public client", public)
	}
}

func TestBadMetadataEarnsTheRegisteredCodes(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	for _, c := range []struct{ code, body string }{
		{register.InvalidRedirectURI, `{"redirect_uris":["https://rp.example/cb#fragment"]}`}, // oidcc-redirect-uri-regfrag
		{register.InvalidRedirectURI, `{}`},
		{register.InvalidMetadata, `{"redirect_uris":["https://rp.example/cb"],"initiate_login_uri":"http://rp.example/start"}`}, // oidcc-3rdparty-init-login-nohttps
		{register.InvalidMetadata, `{"redirect_uris":["https://rp.example/cb"],"response_types":["token"]}`},
		{register.InvalidMetadata, `{"redirect_uris":"https://rp.example/cb"}`},
		{register.InvalidMetadata, `[]`},
		{register.InvalidMetadata, `{`},
	} {
		o.mustRefuse(400, c.code, "POST", "/register", "", c.body)
	}
	o.mustRefuse(413, register.InvalidMetadata, "POST", "/register", "", `{"client_name":"`+strings.Repeat("a", 128<<10)+`"}`)
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
	o := mustOffice(t, register.Open, "")
	const body = `{"redirect_uris":["https://a.example/cb","https://b.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"https://sector.example/list"}`
	if text := o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body); strings.Contains(text, "10.0.0.7") {
		t.Errorf("got %q, which maps our network", text)
	}
	o.files["https://sector.example/list"] = `["https://a.example/cb"]`
	o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body)
	o.files["https://sector.example/list"] = `{"redirect_uris":["https://a.example/cb","https://b.example/cb"]}`
	o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", body)
	o.files["https://sector.example/list"] = `["https://b.example/cb","https://c.example/cb","https://a.example/cb"]`
	c := o.must(201, "POST", "/register", "", body)
	if stored, _ := o.store.Client(t.Context(), c.ClientID); stored.SectorHost != "sector.example" {
		t.Errorf("got sector %q, want sector.example", stored.SectorHost)
	}
	o.h.Registrar.Fetch = noFetch{t}
	o.must(200, "PUT", path(c.URI), c.Token, strings.Replace(body, "{", `{"client_id":"`+c.ClientID+`","client_name":"Both",`, 1))
	one := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://A.example/cb","https://a.example/other"],"subject_type":"pairwise"}`)
	if stored, _ := o.store.Client(t.Context(), one.ClientID); stored.SectorHost != "a.example" {
		t.Errorf("got sector %q, want the one host of the redirect URIs", stored.SectorHost)
	}
}

func TestNothingButTheSectorIsFetchedAtRegistration(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	o.h.Registrar.Fetch = noFetch{t}
	o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"jwks_uri":"https://rp.example/jwks","token_endpoint_auth_method":"private_key_jwt",
		"logo_uri":"https://rp.example/logo.png","policy_uri":"https://rp.example/policy","request_uris":["https://rp.example/request#hash"],
		"initiate_login_uri":"https://rp.example/start","backchannel_logout_uri":"https://rp.example/bcl","frontchannel_logout_uri":"https://rp.example/fcl"}`)
}

type noFetch struct{ t *testing.T }

func (n noFetch) FetchJSON(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	n.t.Errorf("%s was fetched", uri)
	return nil, errors.New("no")
}

func TestStrangerCannotTakeWhatOnlyAnOperatorGives(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	for _, body := range []string{
		`{"redirect_uris":["https://rp.example/cb"],"client_id":"mail","client_secret":"0123456789012345678901234567890123456789","require_pkce":false,"consent":"skip","audience":["https://bank.example"],"backend_logout":"session","logout_scope":"everywhere"}`,
		`{"redirect_uris":["https://rp.example/cb"],"Client_ID":"mail","REQUIRE_PKCE":false,"Consent":"skip","Audience":["https://bank.example"],"Backend_logout":"session","Logout_Scope":"everywhere","dynamic":false,"disabled":false,"secret_hash":"AAAA"}`,
		`{"redirect_uris":["https://rp.example/cb"],"require_pkce":null,"consent":null,"\u0063onsent":"skip"}`,
	} {
		c := o.must(201, "POST", "/register", "", body)
		if c.ClientID == "mail" || c.Secret == "0123456789012345678901234567890123456789" {
			t.Errorf("got %q, want an id and a secret of our own", c.ClientID)
		}
		if c.RequirePKCE != nil || c.Consent != "" || c.Audience != nil || c.BackendLogout != "" || c.LogoutScope != "" {
			t.Errorf("%s: got %+v, want the strict defaults", body, c.Metadata)
		}
	}
	strict := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"require_pkce":true,"consent":"ask","session_expiry":600,"logout_token_typ":"JWT"}`)
	if strict.RequirePKCE == nil || !*strict.RequirePKCE || strict.SessionExpiry != 600 || strict.LogoutTokenTyp != "JWT" {
		t.Errorf("got %+v, want what it may say about itself", strict.Metadata)
	}
}

func TestOpenSettingGivesItsDefaultsToPlainMetadataOnly(t *testing.T) {
	o := mustOffice(t, register.Open, `{"require_pkce":false,"consent":"skip","check_session":true}`)
	c := o.must(201, "POST", "/register", "", plain)
	if c.RequirePKCE == nil || *c.RequirePKCE || c.Consent != "skip" || !c.CheckSession {
		t.Errorf("got %+v, want the defaults", c.Metadata)
	}
	c = o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"require_pkce":true,"consent":"ask","check_session":false}`)
	if !*c.RequirePKCE || c.Consent != "ask" || c.CheckSession {
		t.Errorf("got %+v, want the stricter wishes kept", c.Metadata)
	}
	c = o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"none"}`)
	if c.RequirePKCE != nil {
		t.Error("a public client was let off PKCE")
	}
}

func TestGrantTypesThatWeLackAreLeftOutBesideOneThatWeHave(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	c := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code","refresh_token"]}`)
	if got := strings.Join(c.GrantTypes, " "); got != "authorization_code refresh_token" {
		t.Errorf("got grant types %q", got)
	}
	o.mustRefuse(400, register.InvalidMetadata, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"grant_types":["password"]}`)
}

func TestLogoIsLeftOutUnlessAllowed(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	const body = `{"redirect_uris":["https://rp.example/cb"],"logo_uri":"https://rp.example/logo.png"}`
	if c := o.must(201, "POST", "/register", "", body); c.LogoURI != "" {
		t.Errorf("got logo %q, want none", c.LogoURI)
	}
	o.h.Logos = true
	if c := o.must(201, "POST", "/register", "", body); c.LogoURI == "" {
		t.Error("got no logo although it is allowed")
	}
}

func (o *office) mustInitialToken(name, secret, defaults string, uses int) {
	o.t.Helper()
	token := storage.InitialToken{Hash: storage.HashOf(secret), Name: name, Defaults: []byte(defaults), Created: o.now, Expires: o.now.Add(time.Hour), Uses: uses}
	if err := o.store.PutInitialToken(o.t.Context(), token); err != nil {
		o.t.Fatal(err)
	}
}

func TestInitialAccessTokenLetsInAsOftenAsItSays(t *testing.T) {
	o := mustOffice(t, register.Token, `{"consent":"skip"}`)
	o.mustInitialToken("suite", "initial", `{"require_pkce":false}`, 2)
	o.mustRefuse(401, "", "POST", "/register", "", plain)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "wrong", plain)
	o.mustRefuse(400, register.InvalidRedirectURI, "POST", "/register", "initial", `{}`) // costs no use
	c := o.must(201, "POST", "/register", "initial", plain)
	if c.RequirePKCE == nil || *c.RequirePKCE || c.Consent != "" {
		t.Errorf("got %+v, want the defaults of the token and not those of the open setting", c.Metadata)
	}
	o.must(201, "POST", "/register", "initial", plain)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "initial", plain)
	o.mustInitialToken("late", "late", "", -1)
	o.now = o.now.Add(2 * time.Hour)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "late", plain)
}

func TestLastUseOfAnInitialTokenIsTakenOnce(t *testing.T) {
	o := mustOffice(t, register.Token, "")
	o.mustInitialToken("one", "initial", "", 1)
	var work sync.WaitGroup
	codes := make([]int, 20)
	for i := range codes {
		work.Go(func() { codes[i] = o.do("POST", "/register", "initial", plain).Code })
	}
	work.Wait()
	created := 0
	for _, code := range codes {
		if code == http.StatusCreated {
			created++
		} else if code != http.StatusUnauthorized {
			t.Errorf("got %d, want 201 or 401", code)
		}
	}
	if created != 1 {
		t.Errorf("got %d registrations, want 1", created)
	}
}

func TestOnlyTheHolderOfTheTokenManagesAClient(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	mine := o.must(201, "POST", "/register", "", plain)
	other := o.must(201, "POST", "/register", "", plain)
	o.mustInitialToken("suite", "initial", "", -1)
	static := storage.Client{Metadata: storage.Metadata{ClientID: "static", RedirectURIs: []string{"https://a.example/cb"}}, Created: o.now}
	if err := o.store.PutClient(t.Context(), static); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = `{"client_id":"` + mine.ClientID + `","redirect_uris":["https://evil.example/cb"]}`
		}
		o.mustRefuse(401, "", method, path(mine.URI), "", body)
		for _, token := range []string{"wrong", other.Token, mine.Secret, "initial", mine.Token[:42]} {
			o.mustRefuse(401, "invalid_token", method, path(mine.URI), token, body)
		}
		o.mustRefuse(401, "invalid_token", method, "/register/nobody", mine.Token, body)
		o.mustRefuse(401, "invalid_token", method, "/register/static", mine.Token, body)
	}
	c := o.must(200, "GET", path(mine.URI), mine.Token, "")
	if c.ClientID != mine.ClientID || c.Token != mine.Token || c.URI != mine.URI || c.Secret != "" {
		t.Errorf("got %+v, want the client without its secret", c)
	}
}

func TestUpdateReplacesMetadataButNotTheOperatorsChoices(t *testing.T) {
	o := mustOffice(t, register.Open, `{"require_pkce":false,"consent":"skip"}`)
	c := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"client_name":"Old","contacts":["a@rp.example"]}`)
	put := func(more string) string {
		return `{"client_id":"` + c.ClientID + `","redirect_uris":["https://rp.example/new"]` + more + `}`
	}
	after := o.must(200, "PUT", path(c.URI), c.Token, put(`,"client_secret":"`+c.Secret+`","consent":"ask","audience":["https://bank.example"]`))
	if after.ClientName != "" || after.Contacts != nil || after.RedirectURIs[0] != "https://rp.example/new" {
		t.Errorf("got %+v, want what was left out gone (RFC 7592 §2.2)", after.Metadata)
	}
	if after.RequirePKCE == nil || *after.RequirePKCE || after.Consent != "ask" || after.Audience != nil || after.Secret != "" {
		t.Errorf("got %+v, want the operator's choices, or stricter ones", after.Metadata)
	}
	stored, _ := o.store.Client(t.Context(), c.ClientID)
	if stored.SecretHash != storage.HashOf(c.Secret) || !stored.Dynamic || stored.RegistrationToken != storage.HashOf(c.Token) || !stored.Created.Equal(o.now) {
		t.Errorf("got %+v, want secret, token and origin as they were", stored)
	}
	o.mustRefuse(400, register.InvalidMetadata, "PUT", path(c.URI), c.Token, `{"redirect_uris":["https://rp.example/cb"]}`)
	o.mustRefuse(400, register.InvalidMetadata, "PUT", path(c.URI), c.Token, `{"client_id":"other","redirect_uris":["https://rp.example/cb"]}`)
	o.mustRefuse(400, register.InvalidMetadata, "PUT", path(c.URI), c.Token, put(`,"client_secret":"a secret that the client would rather have"`))
	o.mustRefuse(400, register.InvalidRedirectURI, "PUT", path(c.URI), c.Token, `{"client_id":"`+c.ClientID+`","redirect_uris":["http://rp.example/cb"]}`)
	if again := o.must(200, "GET", path(c.URI), c.Token, ""); again.RedirectURIs[0] != "https://rp.example/new" {
		t.Errorf("got %v, want nothing changed by refused updates", again.RedirectURIs)
	}
	jwt := o.must(200, "PUT", path(c.URI), c.Token, put(`,"token_endpoint_auth_method":"client_secret_jwt"`))
	if jwt.Secret == "" || jwt.Secret == c.Secret || jwt.SecretExpires == nil {
		t.Errorf("got %+v, want a new secret: the old one is known by its hash only", jwt)
	}
}

func TestDeletedClientIsToldALastTimeAndForgotten(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	c := o.must(201, "POST", "/register", "", `{"redirect_uris":["https://rp.example/cb"],"backchannel_logout_uri":"https://rp.example/bcl"}`)
	ctx := t.Context()
	if err := o.store.PutUser(ctx, storage.User{Subject: "ada", Name: "ada", Created: o.now}); err != nil {
		t.Fatal(err)
	}
	s := storage.Session{ID: "s", Secret: storage.HashOf("cookie"), Subject: "ada", AuthTime: o.now, Created: o.now, LastActive: o.now, Idle: time.Hour, Expires: o.now.Add(time.Hour)}
	if err := o.store.CreateSession(ctx, s, storage.Event{At: o.now, Kind: "session.created"}); err != nil {
		t.Fatal(err)
	}
	for id, session := range map[string]storage.SessionID{"bound": "s", "offline": ""} {
		code := storage.Code{ID: id, Client: c.ClientID, Subject: "ada", Session: "s", SID: "sid", Issued: o.now, Expires: o.now.Add(time.Minute)}
		if _, err := o.store.Redeem(ctx, code, o.now, func(storage.Session, storage.Member) (storage.Issue, error) {
			return storage.Issue{Grant: storage.Grant{ID: id, Client: c.ClientID, Subject: "ada", Session: session, Created: o.now, LastUsed: o.now, Expires: o.now.Add(time.Hour), Refresh: storage.HashOf("refresh " + id)}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	o.now = o.now.Add(time.Minute) // joined long enough ago not to be told twice
	if w := o.do("DELETE", path(c.URI), c.Token, ""); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Fatalf("got %d %s, want 204 (RFC 7592 §2.3)", w.Code, w.Body)
	}
	told, _, err := o.store.ListDeliveries(ctx, storage.DeliveryFilter{}, storage.Page{})
	if err != nil || len(told) != 1 || told[0].URI != "https://rp.example/bcl" || told[0].SID != "sid" {
		t.Errorf("got deliveries %+v (%v), want one", told, err)
	}
	if grants, err := o.store.ListGrants(ctx, "ada", "", false, o.now); err != nil || len(grants) != 0 {
		t.Errorf("got grants %+v (%v), want none", grants, err)
	}
	if grant, _, err := o.store.GrantByRefresh(ctx, storage.HashOf("refresh offline"), o.now); err == nil {
		t.Errorf("got grant %+v, want offline access ended too", grant)
	}
	if left, err := o.store.Session(ctx, "s", o.now); err != nil || len(left.Members) != 0 {
		t.Errorf("got session %+v (%v), want it alive without the client", left, err)
	}
	ended, _, err := o.store.ListEvents(ctx, storage.EventFilter{Kind: "grant.ended", Client: c.ClientID}, storage.Page{})
	if err != nil || len(ended) != 1 {
		t.Errorf("got audit lines %+v (%v), want the end of the offline grant", ended, err)
	}
	reports, _, err := o.store.ListReports(ctx, storage.ReportFilter{Subject: "ada"}, storage.Page{})
	if err != nil || len(reports) == 0 || reports[0].Cause.Reason != storage.ReasonClientRemoved || reports[0].Cause.By != "client:"+c.ClientID {
		t.Errorf("got reports %+v (%v), want client_removed by the client", reports, err)
	}
	o.mustRefuse(401, "invalid_token", "GET", path(c.URI), c.Token, "")
	o.mustRefuse(401, "invalid_token", "DELETE", path(c.URI), c.Token, "")
}

func TestDisabledClientCannotManageItself(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	c := o.must(201, "POST", "/register", "", plain)
	stored, err := o.store.Client(t.Context(), c.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	off := *stored
	off.Disabled = true
	if err := o.store.PutClient(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		o.mustRefuse(403, "access_denied", method, path(c.URI), c.Token, "")
	}
}

func TestEveryChangeLeavesAnAuditLine(t *testing.T) {
	o := mustOffice(t, register.Token, "")
	o.h.Address = func(*http.Request) string { return "192.0.2.7" }
	o.mustInitialToken("suite", "initial", "", -1)
	before := o.store.Commits()
	c := o.must(201, "POST", "/register", "initial", plain)
	o.must(200, "PUT", path(c.URI), c.Token, `{"client_id":"`+c.ClientID+`","redirect_uris":["https://rp.example/cb"]}`)
	o.do("DELETE", path(c.URI), c.Token, "")
	if n := o.store.Commits() - before; n != 3 {
		t.Errorf("got %d commits for three changes: a line that is written apart can get lost", n)
	}
	events, _, err := o.store.ListEvents(t.Context(), storage.EventFilter{Kind: "client.", Client: c.ClientID}, storage.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		if e.By != "client:"+c.ClientID || e.Address != "192.0.2.7" {
			t.Errorf("got %+v, want by the client from its address", e)
		}
		if line, err := json.Marshal(e); err != nil || strings.Contains(string(line), c.Token) {
			t.Errorf("got %s, which holds a token", line)
		}
	}
	if got := strings.Join(kinds, " "); got != "client.registered client.changed client.removed" {
		t.Errorf("got %q", got)
	}
}

// crowded is a store with as many dynamic clients as open registration takes.
type crowded struct{ *bolt.Store }

func (crowded) ListClients(context.Context, storage.Page) ([]*storage.Client, string, error) {
	many := make([]*storage.Client, 10_000)
	for i := range many {
		many[i] = &storage.Client{Dynamic: true}
	}
	return many, "", nil
}

func TestOpenRegistrationCannotFillTheStore(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	o.h.Store = crowded{o.store}
	o.mustRefuse(503, "temporarily_unavailable", "POST", "/register", "", plain)
	o.mustInitialToken("suite", "initial", "", -1)
	o.must(201, "POST", "/register", "initial", plain)
}

// torn is a store whose errors nobody outside may read.
type torn struct{ *bolt.Store }

func (torn) RegisterClient(context.Context, storage.Client, storage.Hash, time.Time, ...storage.Event) error {
	return errors.New("page 17 of /var/lib/curfew/curfew.db")
}

func TestUnknownErrorSaysNothing(t *testing.T) {
	o := mustOffice(t, register.Open, "")
	o.h.Store = torn{o.store}
	if text := o.mustRefuse(500, "server_error", "POST", "/register", "", plain); text != "" {
		t.Errorf("got %q, want no word", text)
	}
}
