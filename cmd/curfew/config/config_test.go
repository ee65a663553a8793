package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustWrite(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "curfew.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func mustLoad(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	c, err := Load(mustWrite(t, text), environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const enough = "issuer: https://id.example.org\ndata: /var/lib/curfew\n"

func TestIssuerAndDataSuffice(t *testing.T) {
	fromFile := mustLoad(t, enough)
	fromEnvironment, err := Load("", []string{"CURFEW_ISSUER=https://id.example.org", "CURFEW_DATA=/var/lib/curfew"})
	if err != nil {
		t.Fatal(err)
	}
	fromFile.file, fromFile.origins, fromEnvironment.origins = "", nil, nil
	if !reflect.DeepEqual(fromFile, fromEnvironment) {
		t.Errorf("file and environment differ:\n%+v\n%+v", fromFile, fromEnvironment)
	}
	if fromFile.Listen != "127.0.0.1:8080" || fromFile.KeyFile != "/var/lib/curfew/curfew.key" ||
		len(fromFile.TrustedProxies) != 2 {
		t.Errorf(
			"got listen %q, key_file %q, trusted_proxies %v",
			fromFile.Listen,
			fromFile.KeyFile,
			fromFile.TrustedProxies,
		)
	}
}

func TestAllProblemsAreReportedAtOnceWithTheirLines(t *testing.T) {
	file := mustWrite(t, `isuer: https://id.example.org
session:
  idel: 8h
  absolute: 1h
  remember_idle: soon
token.code: 1h
token: {code: 2m}
idle: 3h
listen: [a, b]
tls:
  cert: cert.pem
logout:
  ask: maybe
  scope: planet
trusted_proxies: [10.0.0.1/8, nowhere]
egress:
  allow: ["http://app.example"]
registration: {mode: open, defaults: {consnt: skip}}
`)
	_, err := Load(
		file,
		[]string{"CURFEW_LISTN=:80", "CURFEW_PORT=tcp://10.0.0.1:80", "CURFEW_TOKEN_ID=never", "CURFEW_CONFIG=" + file},
	)
	want := []string{
		"%s: issuer: is required: the https URL at which browsers and apps reach this provider",
		"%s: data: is required: the folder with all data, such as /var/lib/curfew",
		"%s:1: isuer: unknown key; did you mean issuer?",
		"%s:3: session.idel: unknown key; did you mean session.idle?",
		`%s:5: session.remember_idle: "soon" is not a duration such as 14d, 8h or 90s`,
		"%s:6: token.code: 1h is longer than the maximum, 10m",
		"%s:7: token.code: given twice; line 6 gives it already",
		"%s:8: idle: unknown key; did you mean session.idle?",
		"%s:9: listen: must be one value",
		"%s:11: tls.cert: needs tls.key too",
		`%s:13: logout.ask: must be true or false, not "maybe"`,
		`%s:14: logout.scope: must be one of client, session, all, not "planet"`,
		`%s:15: trusted_proxies: "10.0.0.1/8" has bits beyond its length; the network is 10.0.0.0/8`,
		`"nowhere" is not a network such as 10.1.2.0/24`,
		"session.idle: 8h is longer than session.absolute (1h)",
		"%s:17: egress.allow: ",
		"%s:18: registration.defaults: consnt: ",
		"CURFEW_LISTN: unknown variable; did you mean CURFEW_LISTEN?",
		`CURFEW_TOKEN_ID: "never" is not a duration such as 14d, 8h or 90s`,
	}
	for _, line := range want {
		line = strings.ReplaceAll(line, "%s", file)
		if !strings.Contains(fmt.Sprint(err), line) {
			t.Errorf("not reported: %s", line)
		}
	}
	problems, ok := err.(Problems)
	if !ok || len(problems) != len(want)-1 { // one of them has two lines
		t.Errorf("got %d problems, want %d:\n%v", len(problems), len(want)-1, err)
	}
}

func TestFileThatCannotBeReadIsTheOnlyProblem(t *testing.T) {
	folder := t.TempDir()
	for file, want := range map[string]string{
		filepath.Join(folder, "missing.yaml"): "no such file or directory",
		folder:                                "is a directory",
		mustWrite(t, "\tissuer: x"):           "not YAML: ",
		mustWrite(t, "- issuer"):              "must be a mapping of keys",
	} {
		_, err := Load(file, nil)
		if problems, _ := err.(Problems); len(problems) != 1 || !strings.Contains(problems[0].Text, want) {
			t.Errorf("got %v, want one problem: %s", err, want)
		}
	}
}

func TestMetricsCannotBeWhereTheProviderListens(t *testing.T) {
	_, err := Load(mustWrite(t, enough+"listen: 127.0.0.1:9000\nmetrics.listen: 127.0.0.1:9000\n"), nil)
	if want := "curfew.yaml:4: metrics.listen: must be another address than listen (127.0.0.1:9000)"; !strings.Contains(
		fmt.Sprint(err),
		want,
	) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestBrokenYAMLNamesItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"issuer: x\ndata: [":      "curfew.yaml:2: not YAML",
		"- a\n":                   "curfew.yaml:1: must be a mapping of keys",
		enough + "---\nlisten: x": "curfew.yaml:",
		enough + "tls: 5\n":       "curfew.yaml:3: tls: must be a mapping of keys",
	} {
		if _, err := Load(mustWrite(t, text), nil); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); !strings.Contains(
		fmt.Sprint(err),
		"none.yaml: no such file",
	) {
		t.Errorf("got %v", err)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	file := mustWrite(t, enough+"listen: 127.0.0.1:1\ntrusted_proxies: [10.0.0.0/8]\n")
	c, err := Load(
		file,
		[]string{"CURFEW_LISTEN=127.0.0.1:2", "CURFEW_TRUSTED_PROXIES=10.1.0.0/16, ::1", "CURFEW_SESSION_IDLE=",
			`CURFEW_REGISTRATION_DEFAULTS={"require_pkce":false}`, "CURFEW_REGISTRATION_MODE=open"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:2" || len(c.TrustedProxies) != 2 || c.TrustedProxies[1].Bits() != 128 ||
		c.Session.Idle != 8*time.Hour {
		t.Errorf("got %+v", c)
	}
	if string(c.Registration.Defaults) != `{"require_pkce":false}` {
		t.Errorf("got defaults %s", c.Registration.Defaults)
	}
}

func TestValuesFromFilesAreReadAndNotShown(t *testing.T) {
	secret := mustWrite(t, `{"audience":["hush"]}`+"\n")
	file := mustWrite(t, enough+"registration.mode: open\n")
	c, err := Load(file, []string{"CURFEW_REGISTRATION_DEFAULTS_FILE=" + secret})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Registration.Defaults) != `{"audience":["hush"]}` {
		t.Errorf("got %s", c.Registration.Defaults)
	}
	var yaml, json strings.Builder
	if err := c.WriteYAML(&yaml); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteJSON(&json); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{yaml.String(), json.String()} {
		if strings.Contains(text, "hush") || !strings.Contains(text, "(hidden)") {
			t.Errorf("shown:\n%s", text)
		}
	}
	_, err = Load(file, []string{"CURFEW_LISTEN=:1", "CURFEW_LISTEN_FILE=" + secret, "CURFEW_ISSUER_FILE=/nowhere"})
	for _, want := range []string{
		"CURFEW_LISTEN_FILE: given together with CURFEW_LISTEN",
		"CURFEW_ISSUER_FILE: /nowhere: no such file",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// key_file is itself a path: its variable names the file, not a file with the path.
	if c, err = Load(file, []string{"CURFEW_KEY_FILE=/run/secrets/curfew"}); err != nil ||
		c.KeyFile != "/run/secrets/curfew" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestPathsStartAtTheConfigurationFile(t *testing.T) {
	file := mustWrite(t, "issuer: http://localhost:9000\ndata: data\n")
	c, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(file), "data"); string(c.Data) != want || c.Listen != "127.0.0.1:9000" ||
		len(c.TrustedProxies) != 0 {
		t.Errorf("got data %q listen %q proxies %v, want data %q", c.Data, c.Listen, c.TrustedProxies, want)
	}
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = Load(file, []string{"CURFEW_DATA=other"}); err != nil ||
		string(c.Data) != filepath.Join(here, "other") {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestIssuer(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://id.example.org":          "",
		"https://id.example.org:8443/a/b": "",
		"http://localhost:8080":           "",
		"http://op.localhost:8080":        "",
		"http://127.0.0.1:8080":           "",
		"http://[::1]:8080":               "",
		"http://id.example.org":           "must be https",
		"http://10.0.0.1":                 "must be https",
		"http://localhost.example.org":    "must be https",
		"https://id.example.org/":         "must not end with a slash",
		"https://id.example.org?a=b":      "query or a fragment",
		"https://id.example.org?":         "query or a fragment",
		"https://id.example.org#":         "query or a fragment",
		"https://ID.example.org":          "lower case",
		"https://id.example.org:443":      "default port :443",
		"https://u:p@id.example.org":      "user name",
		"https://id.example.org/a//b":     "plain path",
		"https://id.example.org/a/../b":   "plain path",
		"https://id.example.org/%61":      "plain path",
		"ftp://id.example.org":            "start with https",
		"id.example.org":                  "must be a URL",
		"https:///path":                   "must be a URL",
		"https://:443":                    "must be a URL",
	} {
		_, err := Load("", []string{"CURFEW_ISSUER=" + issuer, "CURFEW_DATA=/d"})
		if want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %q", issuer, err, want)
		}
	}
}

func TestPrintedConfigurationIsAConfiguration(t *testing.T) {
	c := mustLoad(t, enough+`trusted_proxies: [10.0.0.0/8]
session: {idle: 1d12h, absolute: 36h}
registration: {mode: open, defaults: {require_pkce: false, audience: [a, b]}}
keys.rsa_bits: 3072
`)
	var text strings.Builder
	if err := c.WriteYAML(&text); err != nil {
		t.Fatal(err)
	}
	reloaded := mustLoad(t, text.String())
	c.file, c.origins, reloaded.file, reloaded.origins = "", nil, "", nil
	if !reflect.DeepEqual(c, reloaded) {
		t.Errorf("got\n%+v, want\n%+v\nprinted\n%s", reloaded, c, text.String())
	}
}

func TestDurationsReadAsWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0":     0,
		"90s":   90 * time.Second,
		"14d":   14 * day,
		"1d12h": 36 * time.Hour,
		"1h30m": 90 * time.Minute,
		"250ms": 250 * time.Millisecond,
		"8h":    8 * time.Hour,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if roundTrip, err := ParseDuration(FormatDuration(got)); err != nil || roundTrip != want {
			t.Errorf("%s: written as %s, read as %v, %v", text, FormatDuration(got), roundTrip, err)
		}
	}
	for _, text := range []string{"", "5", "-1h", "1y", "h", "1h 5m", "d", "99999999h", "1.5d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, d)
		}
	}
}

// TestRS256IsAlwaysThere (Discovery 1.0 §3, Core §15.1): it is what clients that name no algorithm get.
func TestRS256IsAlwaysThere(t *testing.T) {
	for algorithms, want := range map[string]string{
		"RS256":                      "",
		"RS256, EdDSA":               "",
		"ES256, RS256, PS256, EdDSA": "",
		"ES256":                      "must contain RS256",
		"RS256, none":                "must be one of",
		"RS256, HS256":               "must be one of",
	} {
		file := filepath.Join(t.TempDir(), "curfew.yaml")
		if err := os.WriteFile(
			file,
			[]byte("issuer: https://id.example.org\ndata: /d\nkeys:\n  algorithms: ["+algorithms+"]\n"),
			0o600,
		); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, nil); want == "" && err != nil ||
			want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %q", algorithms, err, want)
		}
	}
}

func TestSettingsOfPasswordsAreChecked(t *testing.T) {
	words := filepath.Join(t.TempDir(), "words.txt")
	if err := os.WriteFile(words, []byte("letmein\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"min_length: 64":                        "",
		"min_length: 7":                         "password.min_length",
		"min_length: 65":                        "password.min_length",
		"min_length_with_second_factor: 7":      "password.min_length_with_second_factor",
		"breached_file: " + words:               "does not begin with a SHA-1 hash",
		"breached_file: /no/such/file":          "password.breached_file",
		"breached_file: " + filepath.Dir(words): "password.breached_file",
	} {
		file := filepath.Join(t.TempDir(), "curfew.yaml")
		text := "issuer: https://id.example.org\ndata: /d\npassword:\n  " + setting + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %q", setting, err, want)
		}
	}
}

// TestVariablesOfKubernetesServicesAreNoMistakes: every pod gets them for the Services of its namespace, whatever
// those are called.
func TestVariablesOfKubernetesServicesAreNoMistakes(t *testing.T) {
	base := []string{"CURFEW_ISSUER=https://id.example.org", "CURFEW_DATA=/var/lib/curfew"}
	for _, service := range []string{
		"CURFEW",
		"CURFEW_TLS",
		"CURFEW_LOG",
		"CURFEW_LISTEN",
		"CURFEW_KEY_FILE",
		"CURFEW_EGRESS_CA",
	} {
		for _, variable := range []string{"_SERVICE_HOST=10.0.0.1", "_SERVICE_PORT=80", "_SERVICE_PORT_HTTP=80", "_PORT=tcp://10.0.0.1:80", "_PORT_80_TCP=tcp://10.0.0.1:80",
			"_PORT_80_TCP_PROTO=tcp", "_PORT_80_TCP_PORT=80", "_PORT_80_TCP_ADDR=10.0.0.1"} {
			if _, err := Load("", append([]string{service + variable}, base...)); err != nil {
				t.Errorf("%s%s: got %v", service, variable, err)
			}
		}
	}
	_, err := Load("", append([]string{"CURFEW_TRUSTED_PROXY=10.0.0.0/8"}, base...))
	if !strings.Contains(fmt.Sprint(err), "did you mean CURFEW_TRUSTED_PROXIES?") {
		t.Errorf("got %v for a misspelt name, want the right one", err)
	}
}

// TestCrossSiteCookieNeedsHTTPS: browsers refuse SameSite=None without Secure.
func TestCrossSiteCookieNeedsHTTPS(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://id.example.org": "",
		"http://localhost:8080":  "session.cookie_samesite",
	} {
		file := filepath.Join(t.TempDir(), "curfew.yaml")
		text := "issuer: " + issuer + "\ndata: /d\nsession:\n  cookie_samesite: none\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %q", issuer, err, want)
		}
	}
}
