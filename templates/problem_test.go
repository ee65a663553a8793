package templates

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"
)

// Every fault has a sentence of its own, so that no user reads "That didn't work".
func TestEveryFaultHasItsSentence(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := texts().locale(defaultLanguage)
	seen := map[string]Fault{l.problem(Problem{Fault: "?"}).String(): "?"}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Fault" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		text := l.problem(Problem{Fault: Fault(value)}).String()
		if other, taken := seen[text]; taken {
			t.Errorf("%s reads like %s: %s", value, other, text)
		}
		seen[text] = Fault(value)
		return true
	})
	if len(seen) < 10 {
		t.Errorf("got %d faults, want all of problem.go", len(seen))
	}
	if got, want := l.problem(Problem{
		Fault:      TooManyAttempts,
		RetryAfter: 39100 * time.Millisecond,
	}).String(), "Too many attempts. Try again in 40 s."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
