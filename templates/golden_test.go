package templates

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// hashes in the paths of assets change with every comma in the style sheet; the pages do not.
var hashes = regexp.MustCompile(`(/static/[a-z]+)\.[0-9a-f]{16}\.`)

func TestSamplesLookAsBefore(t *testing.T) {
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			got := hashes.ReplaceAll(mustRender(t, s), []byte("$1."))
			file := filepath.Join("testdata", s.Name+".html")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; see what changed, then run go test ./templates -update\n%s", file, got)
			}
		})
	}
}

func TestEveryGoldenFileHasItsSample(t *testing.T) {
	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range Samples() {
		if names[s.Name] {
			t.Errorf("two samples are called %s", s.Name)
		}
		names[s.Name] = true
	}
	for _, f := range files {
		if name := filepath.Base(f[:len(f)-len(".html")]); !names[name] {
			t.Errorf("%s is of no sample", f)
		}
	}
	for page := range texts().locale(defaultLanguage).pages() {
		found := false
		for name := range names {
			found = found || name == page || len(name) > len(page) && name[:len(page)+1] == page+"-"
		}
		if !found {
			t.Errorf("page %s has no sample", page)
		}
	}
}

func mustRender(t *testing.T, s Sample) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
