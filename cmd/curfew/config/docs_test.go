package config

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md from the declarations")

const documentation = "../../../docs/configuration.md"

// TestDocumentationIsGeneratedFromTheDeclarations compares each row of the page with the declaration of its setting.
// The page decides the order; `go test ./cmd/curfew/config -update` writes the rows.
func TestDocumentationIsGeneratedFromTheDeclarations(t *testing.T) {
	text, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	want := mustGenerateRows(t)
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		name, found := strings.CutPrefix(line, "| `")
		if !found {
			continue
		}
		name, _, _ = strings.Cut(name, "`")
		row, ok := want[name]
		switch {
		case !ok:
			t.Errorf("line %d: %s is no setting, or stands there twice", i+1, name)
		case line != row && !*update:
			t.Errorf(
				"line %d is not generated from the declaration of %s: run this test with -update\ngot  %s\nwant %s",
				i+1,
				name,
				line,
				row,
			)
		}
		lines[i] = row
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s has no row: add a line \"| `%s`\" where it belongs, and run this test with -update", name, name)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(documentation, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mustGenerateRows generates the row of each setting, by its key.
func mustGenerateRows(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	comments := mustReadComments(t)
	for _, s := range settingsOf(Default()) {
		comment := comments[s.path]
		if comment == "" {
			t.Errorf("%s has no comment", s.path)
		}
		for _, value := range s.allowed {
			if !strings.Contains(comment, value) {
				t.Errorf("%s: the comment does not explain the value %s", s.path, value)
			}
		}
		value := s.noDefaultText
		if s.defaultText != "" {
			value = "`" + strings.ReplaceAll(s.defaultText, ",", "`, `") + "`"
		}
		rows[s.path] = "| `" + s.path + "` | `" + s.envName() + "` | " + value + " | " + comment + " |"
	}
	return rows
}

// mustReadComments reads the comment of each setting from the sources of this package and of package policy.
func mustReadComments(t *testing.T) map[string]string {
	t.Helper()
	structs := map[string]*ast.StructType{} // by package and type, as reflect writes them
	for _, folder := range []string{".", "../../../provider/policy"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			syntax, err := parser.ParseFile(
				token.NewFileSet(),
				file,
				nil,
				parser.ParseComments|parser.SkipObjectResolution,
			)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(syntax, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if s, ok := spec.Type.(*ast.StructType); ok {
						structs[syntax.Name.Name+"."+spec.Name.Name] = s
					}
				}
				return true
			})
		}
	}
	comments := map[string]string{}
	var walk func(prefix string, group reflect.Type)
	walk = func(prefix string, group reflect.Type) {
		for _, declared := range structs[group.String()].Fields.List {
			field, ok := group.FieldByName(declared.Names[0].Name)
			key := field.Tag.Get("yaml")
			switch {
			case !ok || key == "":
			case field.Type.Kind() == reflect.Struct:
				walk(prefix+key+".", field.Type)
			default:
				comments[prefix+key] = strings.Join(strings.Fields(declared.Doc.Text()), " ")
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return comments
}

func TestLimitsOfSettingsAreReadable(t *testing.T) {
	settings := settingsOf(Default())
	for _, s := range settings {
		if s.max == "" {
			continue
		}
		limit := slices.IndexFunc(settings, func(other setting) bool { return other.path == s.max })
		if _, err := ParseDuration(s.max); err != nil && limit < 0 {
			t.Errorf("%s: max %q is neither a duration nor a setting", s.path, s.max)
		}
		if limit >= 0 && settings[limit].value.Type() != reflect.TypeFor[time.Duration]() {
			t.Errorf("%s: max %s is not a duration", s.path, s.max)
		}
	}
}
