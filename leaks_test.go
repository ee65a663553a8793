package curfew_test

import (
	"go/ast"
	"path"
	"slices"
	"testing"
)

// withoutLeakCheck are the folders that start goroutines and have no leak check, with the reason.
var withoutLeakCheck = map[string]string{
	"cmd/curfew":                  "its tests run the program as a process, and no goroutine outlives that",
	"cmd/curfew-demo":             "its tests run the program as a process, and no goroutine outlives that",
	"conformance/cmd/curfew-load": "a tool that ends with its goroutines",
	"conformance/pgserver":        "has no tests; storage/postgres checks what it starts",
	"conformance/suite":           "drives browsers and processes, which end with the run",
	"provider/providertest":       "has no tests; provider checks what it starts",
	"storage/storagetest":         "has no tests of its own; storage/bolt and storage/postgres check what it starts",
}

// TestPackagesThatStartGoroutinesCheckForLeaks: a package with a go statement, a Go method or an AfterFunc has a test
// that fails if a goroutine is left (goleak).
func TestPackagesThatStartGoroutinesCheckForLeaks(t *testing.T) {
	starts := map[string]string{} // the first such place, by folder
	checks := map[string]bool{}
	for _, s := range mustParse(t) {
		if s.test {
			checks[s.folder] = checks[s.folder] || slices.Contains(s.imports, "go.uber.org/goleak")
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if startsGoroutine(n) && starts[s.folder] == "" {
				starts[s.folder] = s.position(n)
			}
			return true
		})
	}
	for folder, where := range starts {
		if withoutLeakCheck[folder] == "" && !checks[folder] {
			t.Errorf("%s starts a goroutine: add a leak_test.go with goleak to %s, as in logout", where, folder)
		}
	}
	for folder := range withoutLeakCheck {
		if starts[folder] == "" || checks[folder] {
			t.Errorf("%s needs no exception any more: remove it from withoutLeakCheck", path.Clean(folder))
		}
	}
}

// startsGoroutine reports whether n is a go statement, or a call of a function such as sync.WaitGroup.Go or
// context.AfterFunc.
func startsGoroutine(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		called, ok := n.Fun.(*ast.SelectorExpr)
		return ok && (called.Sel.Name == "Go" || called.Sel.Name == "AfterFunc")
	}
	return false
}
