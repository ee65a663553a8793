package suitetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suiteModules are the modules of the suite's OpenID Connect plans for an OP (release 5.2.4), without the prefix
// oidcc-. The plans are: config, basic, implicit, hybrid, dynamic, three form_post plans, third-party-initiated login,
// four logout plans, and oidcc-test-plan, which adds no module.
const suiteModules = `
server response-type-missing idtoken-signature idtoken-unsigned userinfo-get userinfo-post-header userinfo-post-body
ensure-request-without-nonce-succeeds-for-code-flow ensure-request-without-nonce-fails scope-profile scope-email scope-address scope-phone scope-all
alternate-happy-flow display-page display-popup prompt-login prompt-none-not-logged-in prompt-none-logged-in max-age-1 max-age-10000
ensure-request-with-unknown-parameter-succeeds id-token-hint login-hint ui-locales claims-locales ensure-request-with-acr-values-succeeds
codereuse codereuse-30seconds ensure-registered-redirect-uri ensure-post-request-succeeds server-client-secret-post
request-uri-unsigned-supported-correctly-or-rejected-as-unsupported unsigned-request-object-supported-correctly-or-rejected-as-unsupported
claims-essential ensure-request-object-with-redirect-uri refresh-token ensure-request-with-valid-pkce-succeeds

discovery-endpoint-verification idtoken-rs256 userinfo-rs256 ensure-redirect-uri-in-authorization-request redirect-uri-query-OK
redirect-uri-query-mismatch redirect-uri-query-added redirect-uri-regfrag registration-logo-uri registration-policy-uri registration-tos-uri
registration-jwks-uri registration-sector-uri registration-sector-bad server-rotate-keys refresh-token-rp-key-rotation request-uri-unsigned
request-uri-signed-rs256 ensure-client-assertion-with-iss-aud-succeeds

3rd_party-init-login 3rd_party-init-login-nohttps

rp-initiated-logout rp-initiated-logout-discovery-endpoint-verification rp-initiated-logout-bad-post-logout-redirect-uri
rp-initiated-logout-modified-id-token-hint rp-initiated-logout-no-id-token-hint rp-initiated-logout-no-params
rp-initiated-logout-no-post-logout-redirect-uri rp-initiated-logout-no-state rp-initiated-logout-only-state
rp-initiated-logout-query-added-to-post-logout-redirect-uri rp-initiated-logout-bad-id-token-hint
session-management-discovery-endpoint-verification session-management-rp-initiated-logout
frontchannel-logout-discovery-endpoint-verification frontchannel-rp-initiated-logout
backchannel-logout-discovery-endpoint-verification backchannel-rp-initiated-logout
`

var wordStart = regexp.MustCompile(`(^|[-_])([a-z0-9A-Z])`)

// testName returns the name of the test for a module, such as TestModulePromptLogin for prompt-login.
func testName(module string) string {
	capitalize := func(s string) string { return strings.ToUpper(strings.TrimLeft(s, "-_")) }
	return "TestModule" + wordStart.ReplaceAllStringFunc(module, capitalize)
}

// moduleCount is the number of modules in release 5.2.4.
const moduleCount = 77

// TestEveryModuleHasItsTest: each module has a test with its name, and each TestModule… has a module.
func TestEveryModuleHasItsTest(t *testing.T) {
	var wanted []string
	for _, module := range strings.Fields(suiteModules) {
		wanted = append(wanted, testName(module))
	}
	if len(wanted) != moduleCount {
		t.Errorf("got %d modules, want the %d of release 5.2.4", len(wanted), moduleCount)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range syntax.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "TestModule") {
				found = append(found, function.Name.Name)
			}
		}
	}
	slices.Sort(wanted)
	slices.Sort(found)
	for _, name := range wanted {
		if !slices.Contains(found, name) {
			t.Errorf("got no %s", name)
		}
	}
	for _, name := range found {
		if !slices.Contains(wanted, name) {
			t.Errorf("got %s, which mirrors no module", name)
		}
	}
}
