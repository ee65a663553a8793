package curfew_test

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

const glossaryPage = "docs/glossary.md"

// retiredWords returns the words in the first column of the table below a heading of the glossary.
func retiredWords(t *testing.T, heading string) []string {
	t.Helper()
	page, err := os.ReadFile(glossaryPage)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("got no section %q in %s", heading, glossaryPage)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var words []string
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || strings.TrimSpace(cells[1]) == "word" || strings.HasPrefix(cells[1], "---") {
			continue
		}
		for word := range strings.SplitSeq(cells[1], ",") {
			words = append(words, strings.TrimSpace(word))
		}
	}
	if len(words) < 10 {
		t.Fatalf("got %d words below %q", len(words), heading)
	}
	return words
}

// TestRetiredWordsStandNowhere searches every source, page and document as text.
func TestRetiredWordsStandNowhere(t *testing.T) {
	words := retiredWords(t, "Not used anywhere")
	for i, word := range words {
		words[i] = strings.ReplaceAll(regexp.QuoteMeta(word), " ", `\s+`)
	}
	retired := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
	for _, file := range textFiles(t, ".go", ".html", ".md", ".yaml", ".js", ".css", ".txtar") {
		if file == glossaryPage || quotesSpecifications(file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if word := retired.FindString(line); word != "" {
				t.Errorf("%s:%d says %q; see %s", file, i+1, word, glossaryPage)
			}
		}
	}
}

// quotesSpecifications reports whether a file has text of others, such as specifications.
func quotesSpecifications(file string) bool {
	return file == "conformance/specs.md" ||
		strings.Contains(file, "package-lock.json") ||
		strings.HasSuffix(file, "common.txt")
}

// TestRetiredWordsAreNoNames searches identifiers, file names, struct tags, and the texts of errors and logs. The names
// of tests are sentences, so only TestRetiredWordsStandNowhere searches them.
func TestRetiredWordsAreNoNames(t *testing.T) {
	words := append(retiredWords(t, "Not used anywhere"), retiredWords(t, "Not used as names")...)
	check := func(where, kind, text string) {
		for _, word := range nameWords(text) {
			if slices.Contains(words, word) {
				t.Errorf("%s: the %s %q uses %q; see %s", where, kind, text, word, glossaryPage)
			}
		}
	}
	for _, s := range mustParse(t) {
		if s.test {
			continue
		}
		check(s.folder, "file name", s.name)
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				check(s.position(n), "function", n.Name.Name)
			case *ast.TypeSpec:
				check(s.position(n), "type", n.Name.Name)
			case *ast.ValueSpec:
				for _, name := range n.Names {
					check(s.position(n), "name", name.Name)
				}
			case *ast.Field:
				for _, name := range n.Names {
					check(s.position(n), "field", name.Name)
				}
				if n.Tag != nil {
					check(s.position(n), "tag", n.Tag.Value)
				}
			case *ast.CallExpr:
				checkTexts(s, n, check)
			}
			return true
		})
	}
}

// checkTexts checks the texts of an error or a log line.
func checkTexts(s source, call *ast.CallExpr, check func(where, kind, text string)) {
	name := ""
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	case *ast.Ident:
		name = fun.Name
	}
	if !slices.Contains(functionsWithTexts, name) {
		return
	}
	for _, arg := range call.Args {
		literal, ok := arg.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		if text, err := strconv.Unquote(literal.Value); err == nil {
			check(s.position(literal), "text", text)
		}
	}
}

// functionsWithTexts are the functions that make errors and log lines.
var functionsWithTexts = []string{
	"New",
	"Errorf",
	"DebugContext",
	"InfoContext",
	"WarnContext",
	"ErrorContext",
	"LogAttrs",
}

// nameWords splits an identifier or a text into words in lower case, at capitals, underscores, spaces and the like.
func nameWords(text string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	runes := []rune(text)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		afterLower := i == 0 || !unicode.IsUpper(runes[i-1])
		beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		startsWord := afterLower || beforeLower // "ID" is one word, "IDToken" two
		if unicode.IsUpper(r) && startsWord {
			flush()
		}
		word.WriteRune(r)
	}
	flush()
	return words
}

// textFiles lists the files with one of these extensions.
func textFiles(t *testing.T, extensions ...string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && isSkippedFolder(entry.Name()) {
			return fs.SkipDir
		}
		if !entry.IsDir() && slices.Contains(extensions, filepath.Ext(file)) {
			files = append(files, filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
