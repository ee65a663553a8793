// Package curfew_test tests rules for the whole module: imports, words, documents and commands. Most of its tests parse
// the sources.
package curfew_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the generated tables of docs")

const module = "github.com/curfew-id/curfew/"

// source is one parsed file of this module.
type source struct {
	folder  string // such as provider/egress; "." for the root
	name    string
	test    bool
	syntax  *ast.File
	imports []string
	fset    *token.FileSet
}

func (s source) position(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return path.Join(s.folder, s.name) + ":" + strconv.Itoa(p.Line)
}

// parsed returns all files of the module. They are parsed once for all tests.
var parsed = sync.OnceValues(parse)

func mustParse(t *testing.T) []source {
	t.Helper()
	sources, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 100 {
		t.Fatalf("got %d files: these are not the module's sources", len(sources))
	}
	return sources
}

func parse() (sources []source, err error) {
	err = filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (isSkippedFolder(entry.Name()) || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{
			folder: filepath.ToSlash(filepath.Dir(file)),
			name:   entry.Name(),
			test:   strings.HasSuffix(file, "_test.go"),
			syntax: syntax,
			fset:   fset,
		}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// isSkippedFolder reports whether a folder has no sources of this module: node_modules and hidden folders.
func isSkippedFolder(name string) bool {
	isHidden := len(name) > 1 && name[0] == '.'
	return name == "node_modules" || isHidden
}

// below are the packages that the packages of handlers may import. These do not import each other. The exception is
// provider/logoutview, which signout and account use to show the result of a logout.
var below = []string{
	"storage",
	"logout",
	"templates",
	"provider/authn",
	"provider/egress",
	"provider/keys",
	"provider/mail",
	"provider/password",
	"provider/policy",
	"provider/register",
	"provider/tokens",
	"provider/upstream",
	"provider/web",
}

// arrows has the folders of this module that each folder may import. "x/..." means all folders below x. A folder without
// an entry has the rule of its closest parent.
var arrows = map[string][]string{
	"storage":             {},
	"storage/bolt":        {"storage", "storage/record", "storage/transfer"},
	"storage/postgres":    {"storage", "storage/record", "storage/transfer"},
	"storage/backup":      {"storage"},
	"storage/record":      {"storage"},
	"storage/storagetest": {"storage"},
	"storage/transfer":    {"storage"},
	"templates":           {},
	"logout":              {"storage"},
	"provider/egress":     {},
	"provider/filemode":   {},
	"provider/keys":       {"storage", "provider/filemode"},
	"provider/mail":       {"storage", "templates", "provider/keys"},
	"provider/password":   {},
	"provider/authn":      {"storage", "templates", "provider/password"},
	"provider/policy":     {"storage"},
	"provider/web":        {"storage", "templates", "provider/keys", "provider/password"},
	"provider/tokens":     {"storage", "provider/keys", "provider/policy"},
	"provider/register":   {"storage", "logout", "provider/egress", "provider/keys", "provider/policy", "provider/web"},
	"provider/upstream": {
		"storage",
		"templates",
		"logout",
		"provider/authn",
		"provider/keys",
		"provider/oauth/clientkeys",
		"provider/policy",
		"provider/web",
	},
	"provider/oauth":      append([]string{"provider/oauth/clientkeys"}, below...),
	"provider/signin":     below,
	"provider/signout":    append([]string{"provider/logoutview"}, below...),
	"provider/logoutview": below,
	"provider/account":    append([]string{"provider/logoutview"}, below...),
	"provider/admin":      below,
	"provider":            append([]string{"provider/..."}, below...),
	"conformance":         {"conformance/..."},
	"cmd/curfew": {
		"storage",
		"storage/...",
		"logout",
		"templates",
		"provider",
		"provider/...",
		"cmd/curfew/...",
	},
	"cmd/curfew-demo": {"templates", "provider/admin", "provider/web", "conformance/rp", "cmd/curfew/..."},
	".":               {},

	"provider/providertest": {"storage", "storage/bolt", "provider", "provider/..."},
}

func allowedImports(folder string) (rule string, allowed []string) {
	for rule = folder; ; rule = path.Dir(rule) {
		if allowed, ok := arrows[rule]; ok {
			return rule, allowed
		}
	}
}

func TestPackagesImportDownwardsOnly(t *testing.T) {
	for _, s := range mustParse(t) {
		rule, allowed := allowedImports(s.folder)
		for _, imported := range s.imports {
			inside, ours := strings.CutPrefix(imported, module)
			if !ours || inside == s.folder || s.test && mayTestImport(s.folder, inside) {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool {
				below, all := strings.CutSuffix(a, "...")
				return inside == a || all && strings.HasPrefix(inside, below)
			}) {
				t.Errorf("%s/%s imports %s; %s may import %v", s.folder, s.name, inside, rule, allowed)
			}
		}
	}
}

// mayTestImport reports whether a test may import a package that its folder may not: tests run on a real store and call
// other packages. Tests of conformance use Curfew from outside only.
func mayTestImport(folder, imported string) bool {
	return !strings.HasPrefix(imported, "cmd/") && !strings.HasPrefix(folder, "conformance")
}

// TestTheProgramContainsNothingOfTheDemo follows the imports of the program. The demo's relying parties and the tools of
// conformance must not be part of it.
func TestTheProgramContainsNothingOfTheDemo(t *testing.T) {
	imports := map[string][]string{}
	for _, s := range mustParse(t) {
		if !s.test {
			imports[s.folder] = append(imports[s.folder], s.imports...)
		}
	}
	reached := map[string]bool{}
	var visit func(folder string)
	visit = func(folder string) {
		if reached[folder] {
			return
		}
		reached[folder] = true
		for _, imported := range imports[folder] {
			if inside, ok := strings.CutPrefix(imported, module); ok {
				visit(inside)
			}
		}
	}
	visit("cmd/curfew")
	if !reached["provider/signin"] {
		t.Fatalf("got %d folders without provider/signin: this is not the program's import graph", len(reached))
	}
	for folder := range reached {
		if strings.HasPrefix(folder, "conformance") || folder == "cmd/curfew-demo" {
			t.Errorf("cmd/curfew imports %s, through its packages", folder)
		}
	}
}

// fixtures are packages with test fixtures that several packages use.
var fixtures = []string{"provider/providertest", "storage/storagetest"}

func TestOnlyTestsImportFixtures(t *testing.T) {
	for _, s := range mustParse(t) {
		if s.test || slices.Contains(fixtures, s.folder) {
			continue
		}
		for _, imported := range s.imports {
			if inside, ok := strings.CutPrefix(imported, module); ok && slices.Contains(fixtures, inside) {
				t.Errorf("%s/%s imports %s; only tests may", s.folder, s.name, inside)
			}
		}
	}
}

// TestArchitectureShowsTheAllowedImports compares the table of docs/architecture.md with arrows. With -update it writes
// the table.
func TestArchitectureShowsTheAllowedImports(t *testing.T) {
	const (
		page  = "docs/architecture.md"
		begin = "<!-- table of TestPackagesImportDownwardsOnly -->\n"
		end   = "<!-- end of table -->"
	)
	var want strings.Builder
	want.WriteString("| folder | may import |\n|---|---|\n")
	for _, folder := range slices.Sorted(maps.Keys(arrows)) {
		allowed := "nothing of this module"
		if len(arrows[folder]) > 0 {
			allowed = "`" + strings.Join(slices.Sorted(slices.Values(arrows[folder])), "`, `") + "`"
		}
		want.WriteString("| `" + folder + "` | " + allowed + " |\n")
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, hasBegin := strings.Cut(string(text), begin)
	table, tail, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("got no place for the table in %s", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want.String() {
		t.Errorf("%s does not show what this test allows; run it with -update", page)
	}
}

func TestPackagesKeepToTheirLibraries(t *testing.T) {
	standardOnly := []string{"storage", "provider/policy"}
	templatesMay := []string{ // docs/adr/catalog.md
		"github.com/nicksnyder/go-i18n/",
		"golang.org/x/text/",
		"go.yaml.in/yaml/",
		"github.com/boombuler/barcode/qr", // the QR code of an authenticator app
	}
	for _, s := range mustParse(t) {
		if s.test {
			continue
		}
		for _, imported := range s.imports {
			first, _, _ := strings.Cut(imported, "/")
			isStandard := !strings.Contains(first, ".")
			isLibrary := !isStandard && !strings.HasPrefix(imported, module)
			isText := strings.HasPrefix(imported, "golang.org/x/text/")
			isOAuthOrJOSE := strings.Contains(imported, "zitadel") || strings.Contains(imported, "go-jose")
			allowedInTemplates := slices.ContainsFunc(templatesMay, func(library string) bool {
				return strings.HasPrefix(imported, library)
			})
			switch {
			case isLibrary && !isText && slices.Contains(standardOnly, s.folder):
				t.Errorf("%s/%s imports %s; %s keeps to the standard library", s.folder, s.name, imported, s.folder)
			case isLibrary && s.folder == "templates" && !allowedInTemplates:
				t.Errorf("%s/%s imports %s; templates may import %v", s.folder, s.name, imported, templatesMay)
			case strings.HasPrefix(imported, "github.com/zitadel/oidc/v3/pkg/op") && s.folder != "provider/oauth":
				t.Errorf("%s/%s imports %s; only provider/oauth talks to it", s.folder, s.name, imported)
			case s.folder == "logout" && isOAuthOrJOSE:
				t.Errorf("%s/%s imports %s; logout is given a signer", s.folder, s.name, imported)
			case strings.HasPrefix(imported, "go.etcd.io/bbolt") && s.folder != "storage/bolt":
				t.Errorf("%s/%s imports %s; only storage/bolt imports the backend", s.folder, s.name, imported)
			case strings.HasPrefix(imported, "github.com/jackc/pgx") && s.folder != "storage/postgres":
				t.Errorf("%s/%s imports %s; only storage/postgres imports the driver", s.folder, s.name, imported)
			case s.folder == "storage" && imported == "net/http":
				t.Errorf("%s/%s imports %s; storage does not depend on HTTP", s.folder, s.name, imported)
			}
		}
	}
}

func TestSessionsEndInPackageLogoutOnly(t *testing.T) {
	for _, s := range mustParse(t) {
		if s.test || s.folder == "logout" || strings.HasPrefix(s.folder, "storage/") {
			continue
		}
		if s.name == "killpoints_fault.go" { // passes each call on to the store, in builds for fault tests only
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "EndSessions" {
				t.Errorf("%s uses EndSessions; only package logout ends sessions", s.position(n))
			}
			return true
		})
	}
}

func TestTheStoreNeverAsksTheTime(t *testing.T) {
	for _, s := range mustParse(t) {
		if s.test || s.folder != "storage" && !strings.HasPrefix(s.folder, "storage/") {
			continue
		}
		if s.folder == "storage" && s.name == "stopwatch.go" {
			continue // measures how long a store waits, or how old a cached record is
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if isSelector(n, "time", "Now", "Since", "Until") {
				t.Errorf("%s reads the clock; a store takes the time as a parameter", s.position(n))
			}
			return true
		})
	}
}

func TestEverythingThatLeavesGoesThroughEgress(t *testing.T) {
	// The admin client uses a Unix socket, which leads to this machine only. Conformance and fixtures are not part of
	// the program.
	exempt := []string{"provider/egress", "provider/admin", "provider/providertest", "cmd/curfew"}
	for _, s := range mustParse(t) {
		if s.test || slices.Contains(exempt, s.folder) || strings.HasPrefix(s.folder, "conformance") {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if ok && isSelector(literal.Type, "http", "Client", "Transport") ||
				isSelector(n, "http", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm") {
				t.Errorf("%s makes a request of its own; only provider/egress does", s.position(n))
			}
			return true
		})
	}
}

// TestOnlyAuthenticatorsWriteHowAUserAuthenticated checks that other packages only copy AMR and ACR from a record.
func TestOnlyAuthenticatorsWriteHowAUserAuthenticated(t *testing.T) {
	isCopy := func(value ast.Expr, field string) bool {
		s, ok := value.(*ast.SelectorExpr)
		return ok && strings.EqualFold(s.Sel.Name, field)
	}
	for _, s := range mustParse(t) {
		if s.test || slices.Contains([]string{"provider/authn", "provider/providertest"}, s.folder) ||
			strings.HasPrefix(s.folder, "storage/") {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			pair, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, ok := pair.Key.(*ast.Ident)
			if !ok {
				return true
			}
			isAMRorACR := strings.EqualFold(key.Name, "AMR") || strings.EqualFold(key.Name, "ACR")
			if isAMRorACR && !isCopy(pair.Value, key.Name) {
				t.Errorf("%s sets %s; only provider/authn does", s.position(n), key.Name)
			}
			return true
		})
	}
}

// isSelector reports whether n is pkg.NAME, with one of the names.
func isSelector(n ast.Node, pkg string, names ...string) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, s.Sel.Name)
}
