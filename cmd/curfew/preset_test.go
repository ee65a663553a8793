package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

var update = flag.Bool("update", false, "write the table of presets in docs/applications.md")

func TestEveryPresetIsValidMetadata(t *testing.T) {
	for _, p := range presets {
		text, err := json.Marshal(p.clientMetadata("https://app.example/"))
		if err != nil {
			t.Fatal(err)
		}
		var m storage.Metadata
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if err := register.Validate(&m, register.Policy{}); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if strings.Contains(string(text), "//oauth2") || strings.Contains(string(text), "example//") {
			t.Errorf("%s: got a path with two slashes: %s", p.name, text)
		}
	}
	if names := presetNames(); !slices.IsSorted(names) {
		t.Errorf("got %v, want them sorted", names)
	}
}

// TestPresetsAreDocumented compares the table in docs/applications.md with the presets; -update writes it.
func TestPresetsAreDocumented(t *testing.T) {
	const (
		page  = "../../docs/applications.md"
		begin = "<!-- presets -->\n"
		end   = "<!-- end of presets -->"
	)
	var want strings.Builder
	want.WriteString(
		"| preset | framework | choices | back channel | in the app | what its confirmation is worth |\n|---|---|---|---|---|---|\n",
	)
	for _, p := range presets {
		choices := make([]string, 0, len(p.metadata))
		for name, value := range p.metadata {
			choices = append(choices, fmt.Sprintf("`%s: %v`", name, value))
		}
		slices.Sort(choices)
		backchannel := "none"
		if p.backchannelPath != "" {
			backchannel = "`" + p.backchannelPath + "`"
		}
		settings := "`" + strings.Join(p.appSettings, "`; `") + "`"
		fmt.Fprintf(
			&want,
			"| `%s` | %s | %s | %s | %s | %s |\n",
			p.name,
			p.framework,
			strings.Join(choices, ", "),
			backchannel,
			settings,
			p.confirmation,
		)
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
	} else if table != want.String() {
		t.Errorf("%s does not show the presets; run this test with -update", page)
	}
}
