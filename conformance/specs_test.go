package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedTest is how specs.md names a test: a file of this module and a function in it, or a function in the file
// before it.
var namedTest = regexp.MustCompile("`(?:([A-Za-z0-9_./-]+_test\\.go):)?(Test[A-Za-z0-9_]*)`")

// TestEveryTestInTheSpecificationTableExists, and every row of the table names one.
func TestEveryTestInTheSpecificationTableExists(t *testing.T) {
	text, err := os.ReadFile("specs.md")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]map[string]bool{} // by file
	rows, held := 0, false
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		if strings.HasPrefix(line, "| section |") {
			held = strings.HasSuffix(line, "| test |")
			continue
		}
		found := namedTest.FindAllStringSubmatch(line, -1)
		if held && !strings.HasPrefix(line, "|---") {
			rows++
			if len(found) == 0 {
				t.Errorf("specs.md:%d names no test: %s", i+1, line)
			}
		}
		file := ""
		for _, f := range found {
			name := f[2]
			if f[1] != "" {
				file = f[1]
			}
			if functions[file] == nil {
				functions[file] = mustFunctions(t, file)
			}
			if !functions[file][name] {
				t.Errorf("specs.md:%d names %s, which is not in %s", i+1, name, file)
			}
		}
		if strings.Count(line, "Test") != len(found) {
			t.Errorf("specs.md:%d names a test in a form that is not read: %s", i+1, line)
		}
	}
	if rows < 100 {
		t.Errorf("got %d rows: this is not the table", rows)
	}
}

// mustFunctions are the functions of a file of this module.
func mustFunctions(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	syntax, err := parser.ParseFile(
		token.NewFileSet(),
		filepath.Join("..", filepath.FromSlash(file)),
		nil,
		parser.SkipObjectResolution,
	)
	if err != nil {
		t.Error(err)
		return names
	}
	for _, declaration := range syntax.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
			names[f.Name.Name] = true
		}
	}
	return names
}
