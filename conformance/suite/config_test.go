package suite

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
)

func mustStatic(t *testing.T, run Run) StaticClients {
	t.Helper()
	s, err := NewStaticClients(run, "https://suite.test/test/a/x")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A call that a module does not expect fails it, so a logout URI is registered in its own plan only.
func TestLogoutURIsAreRegisteredInTheirOwnPlanOnly(t *testing.T) {
	for _, run := range Catalogue() {
		if run.UsesDynamicRegistration() {
			continue
		}
		for _, c := range mustStatic(t, Run{
			Plan:    run.Plan,
			Variant: Variant{"response_type": run.Variant["response_type"]},
		}).All() {
			for uri, kind := range map[string]string{
				"frontchannel_logout_uri": "frontchannel",
				"backchannel_logout_uri":  "backchannel",
			} {
				if _, has := c[uri]; has != strings.Contains(run.Plan, kind) {
					t.Fatalf("%s: got %s %v", run.Plan, uri, c[uri])
				}
			}
		}
	}
}

func TestClientsMatchTheirRun(t *testing.T) {
	for _, c := range []struct {
		plan    string
		variant Variant
		method  string
		grants  string
		secret  bool
		keys    bool
	}{
		{
			"oidcc-basic-certification-test-plan",
			nil,
			"client_secret_basic",
			"authorization_code refresh_token",
			true,
			false,
		},
		{
			"oidcc-hybrid-certification-test-plan",
			nil,
			"client_secret_basic",
			"authorization_code refresh_token implicit",
			true,
			false,
		},
		{"oidcc-implicit-certification-test-plan", nil, "client_secret_basic", "implicit", true, false},
		{
			"oidcc-test-plan",
			Variant{"client_auth_type": "private_key_jwt", "response_type": "code"},
			"private_key_jwt",
			"authorization_code refresh_token",
			false,
			true,
		},
		{
			"oidcc-test-plan",
			Variant{"client_auth_type": "none", "response_type": "id_token"},
			"none",
			"implicit",
			false,
			false,
		},
	} {
		s := mustStatic(t, Run{Plan: c.plan, Variant: c.variant})
		config := map[string]any{}
		s.configure(config)
		entry := config["client"].(map[string]any)
		secret, hasSecret := entry["client_secret"].(string)
		_, hasKeys := entry["jwks"]
		if got := s.First["token_endpoint_auth_method"]; got != c.method {
			t.Errorf("%s: got method %v, want %s", c.plan, got, c.method)
		}
		if got := strings.Join(s.First["grant_types"].([]string), " "); got != c.grants {
			t.Errorf("%s: got grants %q, want %q", c.plan, got, c.grants)
		}
		if hasSecret != c.secret || hasKeys != c.keys || (hasSecret && len(secret) < 32) {
			t.Errorf(
				"%s %s: got secret %v, keys %v, want %v, %v",
				c.plan,
				c.method,
				hasSecret,
				hasKeys,
				c.secret,
				c.keys,
			)
		}
	}
}

func TestOnlyTheSuiteGetsAPrivateKey(t *testing.T) {
	s := mustStatic(t, Run{Plan: "oidcc-test-plan", Variant: Variant{"client_auth_type": "private_key_jwt"}})
	registered, err := json.Marshal(s.First)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	s.configure(config)
	given, err := json.Marshal(config["client"])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(registered), `"d":`) || !strings.Contains(string(given), `"d":`) {
		t.Errorf(
			"got private key at the OP %v, at the suite %v; want false, true",
			strings.Contains(string(registered), `"d":`),
			strings.Contains(string(given), `"d":`),
		)
	}
}

func TestStaticMetadataIsTheDiscoveryDocument(t *testing.T) {
	setup := Setup{
		Issuer:   "https://op.test",
		Metadata: map[string]any{"issuer": "https://op.test", "acr_values_supported": []any{"gold"}},
	}
	static := Config(Run{Variant: Variant{"server_metadata": "static"}}, setup)["server"].(map[string]any)
	if _, has := static["discoveryUrl"]; has || static["issuer"] != "https://op.test" ||
		static["acr_values"] != "gold" {
		t.Errorf("got static metadata %v", static)
	}
	found := Config(Run{Variant: Variant{"server_metadata": "discovery"}}, setup)["server"].(map[string]any)
	if found["discoveryUrl"] != "https://op.test/.well-known/openid-configuration" || found["issuer"] != nil {
		t.Errorf("got discovery %v", found)
	}
}

// A match sees the whole URL, and an error page's query may hold the redirect_uri.
func TestEveryMatchBeginsWithAnOrigin(t *testing.T) {
	pages := Pages{Suite: "https://suite.test", Issuer: "https://op.test"}
	scripts := pages.Standard()
	for _, override := range pages.Overrides() {
		scripts = append(scripts, override.(map[string]any)["browser"].([]Script)...)
	}
	anchored := func(match string) bool {
		return strings.HasPrefix(match, pages.Suite+"/") || strings.HasPrefix(match, pages.Issuer+"/")
	}
	for _, s := range scripts {
		if !anchored(s.Match) {
			t.Errorf("got entry %q", s.Match)
		}
		for _, task := range s.Tasks {
			if task.Match != "" && !anchored(task.Match) {
				t.Errorf("got task %q", task.Match)
			}
		}
	}
}

// An OP's error would otherwise look like a module that hangs.
func TestEveryFlowMustReachItsEnd(t *testing.T) {
	for _, s := range (Pages{Suite: "https://suite.test", Issuer: "https://op.test"}).Standard() {
		if last := s.Tasks[len(s.Tasks)-1]; last.Optional {
			t.Errorf("%s: got its last task optional", s.Match)
		}
	}
}

func TestChromiumRunLeavesNoPageToTheSuite(t *testing.T) {
	config := Config(Run{Plan: "p", Browser: Chromium}, Setup{})
	if scripts := config["browser"].([]Script); len(scripts) != 0 || config["override"] != nil {
		t.Errorf("got entries %v, overrides %v; want none", scripts, config["override"])
	}
}

func TestUserHasAllProfileClaims(t *testing.T) {
	claims := NewUser().Claims()
	for _, name := range strings.Fields("name given_name family_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale email email_verified phone_number phone_number_verified address") {
		if claims[name] == nil {
			t.Errorf("got no %s", name)
		}
	}
}

func TestCatalogueHoldsEveryPlanAndVariant(t *testing.T) {
	count := map[string]int{}
	seen := map[string]bool{}
	for _, run := range Catalogue() {
		count[run.Plan]++
		if name := fileName(run); seen[name] {
			t.Errorf("got two runs named %s", name)
		}
		seen[fileName(run)] = true
	}
	for plan, want := range map[string]int{
		"oidcc-config-*":              1,
		"oidcc-basic-*":               4,
		"oidcc-implicit-*":            4,
		"oidcc-hybrid-*":              4,
		"oidcc-formpost-basic-*":      4,
		"oidcc-formpost-implicit-*":   4,
		"oidcc-formpost-hybrid-*":     4,
		"oidcc-dynamic-*":             6,
		"oidcc-3rdparty-init-login-*": 6,
		"oidcc-rp-initiated-logout-*": 12,
		"oidcc-frontchannel-rp-*":     12,
		"oidcc-backchannel-rp-*":      12,
		"oidcc-session-management-*":  24,
		"oidcc-test-plan":             120, // five ways of authentication, two of registration, six response types
	} {
		got := 0
		for name, n := range count {
			if ok, _ := path.Match(plan, name); ok {
				got += n
			}
		}
		if got != want {
			t.Errorf("%s: got %d runs, want %d", plan, got, want)
		}
	}
}

func TestFilterLeavesOutWhatChoosesOtherwise(t *testing.T) {
	runs := Filter{
		Plans:   []string{"basic", "*-logout"},
		Variant: Variant{"client_registration": staticClient, "response_type": "code"},
	}.Select(
		Catalogue(),
	)
	got := map[string]int{}
	for _, r := range runs {
		got[r.Plan]++
	}
	if len(got) != 4 || got["oidcc-basic-certification-test-plan"] != 2 ||
		got["oidcc-rp-initiated-logout-certification-test-plan"] != 1 {
		t.Errorf("got %v, want basic twice and three logout plans once", got)
	}
}
