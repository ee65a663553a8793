package templates

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// mustReadLocale reads the texts of one language: for each name, its plural forms. A text without forms has the form
// "other".
func mustReadLocale(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(localeFiles, file)
	if err != nil {
		t.Fatal(err)
	}
	var entries map[string]any
	if err := yaml.Unmarshal(raw, &entries); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for name, value := range entries {
		all[name] = map[string]string{}
		switch value := value.(type) {
		case string:
			all[name]["other"] = value
		case map[string]any:
			for form, text := range value {
				all[name][form], _ = text.(string)
			}
		}
	}
	return all
}

const english = "locales/en.yaml"

var placeholder = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// placeholders are the names of a text's placeholders, in all of its plural forms.
func placeholders(forms map[string]string) []string {
	names := map[string]bool{}
	for _, text := range forms {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func TestEveryLanguageHasEveryTextWithTheSamePlaceholders(t *testing.T) {
	want := mustReadLocale(t, english)
	files, err := fs.Glob(localeFiles, "locales/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no languages: %v", err)
	}
	for _, file := range files {
		got := mustReadLocale(t, file)
		for name, forms := range want {
			if got[name]["other"] == "" {
				t.Errorf("%s lacks %s", file, name)
			} else if !slices.Equal(placeholders(got[name]), placeholders(forms)) {
				t.Errorf(
					"%s: %s has the placeholders %v, want %v",
					file,
					name,
					placeholders(got[name]),
					placeholders(forms),
				)
			}
		}
		for name := range got {
			if want[name] == nil {
				t.Errorf("%s has %s, which English does not have", file, name)
			}
		}
	}
}

func TestEveryLanguageHasThePluralFormsOfItsGrammar(t *testing.T) {
	want := mustReadLocale(t, english)
	for _, l := range Languages() {
		forms := pluralForms(language.MustParse(l.Tag))
		got := mustReadLocale(t, "locales/"+l.Tag+".yaml")
		for name := range want {
			for _, form := range forms {
				if len(want[name]) > 1 && got[name][form] == "" {
					t.Errorf("%s: %s lacks the form %s", l.Tag, name, form)
				}
			}
		}
	}
}

// pluralForms are the plural forms of whole numbers in a language (Unicode CLDR). Newer versions of CLDR have more.
func pluralForms(tag language.Tag) []string {
	names := map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two",
		plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
	forms := map[string]bool{"other": true}
	for n := range 1_000_001 {
		if n < 1000 || n == 1_000_000 {
			forms[names[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]] = true
		}
	}
	return slices.Sorted(maps.Keys(forms))
}

// names of texts as they stand in templates and in Go.
var (
	usedInPage = regexp.MustCompile(`\bt "([^"]+)"`)
	textName   = regexp.MustCompile(`^[a-z]+(\.[a-z0-9_-]+)+$`)
	family     = regexp.MustCompile(`^[a-z]+\.$`) // "month.", which a name is appended to
)

// mustListUses lists the texts that templates and Go files use by name, and the beginnings of those that are put
// together.
func mustListUses(t *testing.T) (names, families map[string]bool) {
	t.Helper()
	names, families = map[string]bool{}, map[string]bool{}
	for _, name := range mustGlob(t, "html/*.html") {
		page, err := fs.ReadFile(documents, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range usedInPage.FindAllStringSubmatch(string(page), -1) {
			names[m[1]] = true
		}
	}
	for _, file := range append(mustParseFiles(t, "."), mustParseFiles(t, "../provider/authn")...) {
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := stringLiteral(n)
			switch {
			case !ok:
			case textName.MatchString(text):
				names[text] = true
			case family.MatchString(text):
				families[text] = true
			}
			return true
		})
	}
	return names, families
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("got no files %s: %v", pattern, err)
	}
	return names
}

// mustParseFiles parses the Go files of a folder, without tests and samples.
func mustParseFiles(t *testing.T, folder string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range mustGlob(t, filepath.Join(folder, "*.go")) {
		if strings.HasSuffix(name, "_test.go") || name == "samples.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func stringLiteral(n ast.Node) (string, bool) {
	literal, ok := n.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

func TestEveryTextIsUsedAndEveryUsedTextIsThere(t *testing.T) {
	english := mustReadLocale(t, english)
	names, families := mustListUses(t)
	sections := map[string]bool{} // the first part of each name
	for name := range english {
		section, _, _ := strings.Cut(name, ".")
		sections[section] = true
		if !names[name] && !families[section+"."] {
			t.Errorf("no page uses the text %s", name)
		}
	}
	for name := range names {
		section, _, _ := strings.Cut(name, ".")
		if english[name] == nil && sections[section] && !isAuditKind(name) {
			t.Errorf("the text %s is used, but there is none", name)
		}
	}
}

// isAuditKind reports whether a dotted name is an audit event's kind, such as session.ended, and not a text's name.
func isAuditKind(name string) bool { return eventTexts[name] != "" }

// Names of families are put together from the constants of a type.
func TestEveryNamedConstantHasItsTexts(t *testing.T) {
	english := mustReadLocale(t, english)
	need := map[string][]string{
		"ErrorText":   {"error.%.heading", "error.%.text", "error.%.advice"},
		"MessageName": {"message.%.title", "message.%.text"},
	}
	used := map[string]bool{"month.": true}
	found := 0
	for _, file := range mustParseFiles(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, ok := spec.Type.(*ast.Ident)
			if !ok {
				return true
			}
			value, _ := stringLiteral(spec.Values[0])
			for _, pattern := range need[typ.Name] {
				found++
				name := strings.Replace(pattern, "%", value, 1)
				used[name] = true
				if english[name] == nil {
					t.Errorf("%s %q has no text %s", typ.Name, value, name)
				}
			}
			return true
		})
	}
	if found < 40 {
		t.Errorf("got %d texts of named constants, want all of error.go and message.go", found)
	}
	direct, _ := mustListUses(t)
	for name := range english {
		isErrorText := strings.HasPrefix(name, "error.") && !direct[name]
		isMessageText := strings.HasPrefix(name, "message.") && !strings.HasSuffix(name, ".link")
		if (isErrorText || isMessageText) && !used[name] {
			t.Errorf("no page uses the text %s", name)
		}
	}
}

// Words between the actions of a template, or in an attribute that is read out, would stay English in every language.
func TestNoTextStandsInATemplate(t *testing.T) {
	action := regexp.MustCompile(`(?s)\{\{define "width"\}\}.*?\{\{end\}\}|\{\{.*?\}\}`) // the block "width" is a class
	attribute := regexp.MustCompile(` (?:alt|title|aria-label|placeholder)="([^"]*)"`)
	markup := regexp.MustCompile(`(?s)<[^>]*>`)
	letter := regexp.MustCompile(`\pL`)
	for _, name := range mustGlob(t, "html/*.html") {
		raw, err := fs.ReadFile(documents, name)
		if err != nil {
			t.Fatal(err)
		}
		page := action.ReplaceAllString(string(raw), "")
		for _, m := range attribute.FindAllStringSubmatch(page, -1) {
			if letter.MatchString(m[1]) {
				t.Errorf("%s: got the attribute%s, want its text in the catalog", name, m[0])
			}
		}
		for _, line := range strings.Split(markup.ReplaceAllString(page, "\n"), "\n") {
			if letter.MatchString(line) {
				t.Errorf("%s: got %q, want it in the catalog", name, strings.TrimSpace(line))
			}
		}
	}
}

// TestNoTextStandsInAHandler looks at this package and at the handlers whose pages users read: no string in them is a
// sentence, except in errors for the log and for other programs, which begin with a small letter.
func TestNoTextStandsInAHandler(t *testing.T) {
	sentence := regexp.MustCompile(`^\p{Lu}\pL*('\pL+)? .*\pL`)
	folders := []string{
		".",
		"../provider/web",
		"../provider/signin",
		"../provider/signout",
		"../provider/account",
		"../provider/authn",
	}
	for _, folder := range folders {
		for _, name := range mustGlob(t, filepath.Join(folder, "*.go")) {
			if strings.HasSuffix(name, "_test.go") || filepath.Base(name) == "samples.go" ||
				name == "device.go" { // device.go names products
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := stringLiteral(n); ok && sentence.MatchString(text) {
					t.Errorf("%s: got %q, want it in the catalog", fset.Position(n.Pos()), text)
				}
				return true
			})
		}
	}
}

func TestNoSampleShowsANameOrAHoleInPlaceOfAText(t *testing.T) {
	english := mustReadLocale(t, english)
	for _, s := range Samples() {
		page := string(mustRender(t, s))
		if strings.Contains(page, "no value") {
			t.Errorf("%s: a placeholder has no value", s.Name)
		}
		for name := range english {
			if strings.Contains(page, ">"+name+"<") {
				t.Errorf("%s: got the name %s in place of its text", s.Name, name)
			}
		}
	}
}

// A second language is one file: it is found, matched, falls back to English, and brings its own plural forms, lists
// and dates.
func TestASecondLanguageIsOneFile(t *testing.T) {
	polish := `
signin.title: "Logowanie"
list.two: "{{.A}} i {{.B}}"
month.11: "listopada"
outcome.waiting:
  one: "{{.Count}} aplikacja: {{.Apps}}"
  few: "{{.Count}} aplikacje: {{.Apps}}"
  many: "{{.Count}} aplikacji: {{.Apps}}"
  other: "{{.Count}} aplikacji: {{.Apps}}"
`
	raw, err := fs.ReadFile(localeFiles, english)
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoadCatalog(fstest.MapFS{english: {Data: raw}, "locales/pl.yaml": {Data: []byte(polish)}})
	l := c.locale("pl")
	match := func(wanted ...string) string {
		tag, _ := c.match(wanted...)
		return tag
	}
	for _, tt := range []struct{ got, want string }{
		{l.text("signin.title").String(), "Logowanie"},
		{l.text("signin.button").String(), "Sign in"},
		{l.list([]string{"Atlas", "Wiki"}).String(), "Atlas i Wiki"},
		{l.time(sampleNow, ShowDate).Words, "21 listopada 2026"},
		{l.text("outcome.waiting", "Count", 1, "Apps", "x").String(), "1 aplikacja: x"},
		{l.text("outcome.waiting", "Count", 3, "Apps", "x").String(), "3 aplikacje: x"},
		{l.text("outcome.waiting", "Count", 5, "Apps", "x").String(), "5 aplikacji: x"},
		{l.duration(1500e6), "1,5 s"},
		{c.locale("de").tag, "en"},
		{match("pl-PL,pl;q=0.9,en;q=0.8"), "pl"},
		{match("fr"), "en"},
		{match("not a header;;"), "en"},
		{match(""), "en"},
		{match("fr-CA", "pl"), "pl"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// A value is never read as a template or as another value's place.
func TestValuesOfATextStayValues(t *testing.T) {
	l := texts().locale(defaultLanguage)
	for _, value := range []string{"{{.App}}", "{{", string(firstMarker), string(firstMarker + 1), "<b>", "\x00"} {
		if got, want := l.text("signin.to_app", "App", value).String(), "to continue to "+value; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
