package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mustLoadUpstreams loads a configuration with this text of the setting upstreams. acme.secret is beside it.
func mustLoadUpstreams(t *testing.T, upstreams string) (*Config, error) {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{
		"acme.secret": "hush\n",
		"curfew.yaml": "issuer: https://id.example.org\ndata: data\nupstreams:\n" + upstreams,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(folder, "curfew.yaml"), nil)
}

func TestUpstreamsAreReadWithTheirSecrets(t *testing.T) {
	c, err := mustLoadUpstreams(t, `
  school: {issuer: https://school.example, client_id: c, auth: private_key_jwt, acr: {high: mfa}}
  acme: {name: Acme, issuer: https://acme.example, client_id: c, secret_file: acme.secret, recheck: 15m}
`)
	if err != nil {
		t.Fatal(err)
	}
	list := c.UpstreamProviders()
	if len(list) != 2 || list[0].ID != "acme" || list[0].Secret != "hush" || list[0].Logout != "ask" {
		t.Fatalf("got %+v, want acme with its secret and its defaults first", list)
	}
	if list[0].Recheck != 15*time.Minute || list[1].Recheck != 0 {
		t.Errorf("got checks every %v and %v, want 15m and none", list[0].Recheck, list[1].Recheck)
	}
	if school := list[1]; school.Name != "school" || school.Secret != "" || school.ACR["high"] != "mfa" {
		t.Errorf("got %+v, want school with its mapping", school)
	}
}

func TestProblemsOfUpstreamsNameTheUpstreamAndTheKey(t *testing.T) {
	for settings, want := range map[string]string{
		`Acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret}`:                        "the id must be",
		`acme: {client_id: c, secret_file: acme.secret}`:                                                   "upstreams.acme.issuer: is required",
		`acme: {issuer: "http://a.example", client_id: c, secret_file: acme.secret}`:                       "must be https",
		`acme: {issuer: https://id.example.org, client_id: c, secret_file: acme.secret}`:                   "own",
		`acme: {issuer: https://a.example, secret_file: acme.secret}`:                                      "acme.client_id: is required",
		`acme: {issuer: https://a.example, client_id: c}`:                                                  "acme.secret_file: is required",
		`acme: {issuer: https://a.example, client_id: c, secret_file: other}`:                              "no such file",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, auth: none}`:            "acme.auth: must be one of",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, acr: {a: best}}`:        "acme.acr: must be one of",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, claims: {sub: x}}`:      "acme.claims: must be one of",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, id_token_algs: [none]}`: "acme.id_token_algs: must be one of",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, scopes: [email]}`:       "must contain openid",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, create_users: domains}`: "needs domains",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, recheck: 5s}`:           "acme.recheck: must be",
		`acme: {issuer: https://a.example, client_id: c, secret_file: acme.secret, colour: red}`:           `unknown field "colour"`,
	} {
		_, err := mustLoadUpstreams(t, "  "+settings+"\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a problem with %q", settings, err, want)
		}
	}
}

// TestEveryKeyOfAnUpstreamIsDocumented compares policy.Upstream with the table of docs/upstream.md.
func TestEveryKeyOfAnUpstreamIsDocumented(t *testing.T) {
	source, err := os.ReadFile("../../../provider/policy/upstream.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../../docs/upstream.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		_, rest, found := strings.Cut(line, "`json:\"")
		key, _, _ := strings.Cut(rest, `"`)
		if found && key != "-" && !strings.Contains(string(docs), "\n| `"+key+"` |") {
			t.Errorf("docs/upstream.md has no row for %s", key)
		}
	}
}
